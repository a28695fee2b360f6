"""Avro without a registry: the schema configured, or in every record."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from kconnect import bounds
from kconnect.errors import ConfigError, DataError
from kconnect.record import SchemaAndValue
from kconnect.schema import INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect_converters.avro import PlainAvroConverter

USER = Schema(Type.STRUCT, name="crm.User", fields={"id": INT64_SCHEMA, "name": OPTIONAL_STRING_SCHEMA})
ADA: dict[str, Any] = {"id": 300, "name": "Ada"}
AVRO = {
    "type": "record",
    "name": "User",
    "namespace": "crm",
    "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"], "default": None}],
}


def converter(**settings: str) -> PlainAvroConverter:
    made = PlainAvroConverter()
    made.configure({name.replace("_", "."): value for name, value in settings.items()})
    return made


def test_a_record_carries_its_schema(tmp_path: Path) -> None:
    data = converter().from_connect_data("t", USER, ADA)
    assert data is not None
    reader = fastavro.reader(io.BytesIO(data))
    assert list(reader) == [ADA]
    assert converter().to_connect_data("t", data) == SchemaAndValue(USER, ADA)


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_files_that_others_wrote_are_read(codec: str) -> None:
    out = io.BytesIO()
    fastavro.writer(out, AVRO, [ADA], codec=codec)
    assert converter().to_connect_data("t", out.getvalue()) == SchemaAndValue(USER, ADA)


def test_a_configured_schema_is_in_no_record(tmp_path: Path) -> None:
    (tmp_path / "user.avsc").write_text(json.dumps(AVRO))
    bare = b"\xd8\x04\x02\x06Ada"
    for configured in (converter(schema_content=json.dumps(AVRO)), converter(schema_file=str(tmp_path / "user.avsc"))):
        assert configured.from_connect_data("t", USER, ADA) == bare
        assert configured.to_connect_data("t", bare) == SchemaAndValue(USER, ADA)


def test_a_tombstone_stays_one() -> None:
    assert converter().from_connect_data("t", None, None) is None
    assert converter().to_connect_data("t", None) == SchemaAndValue(None, None)


def container(*values: Any, codec: str = "null") -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, AVRO, values, codec=codec)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"id": 1}', "no Avro file"),
        (b"", "no Avro file"),
        (b"Obj\x01", "ends too early"),
        (container(ADA)[:40], "ends too early"),
        (container(ADA)[:-1], "one value"),
        (container(ADA, ADA), "2 values"),
        (container(ADA, codec="bzip2"), "bzip2"),
    ],
)
def test_what_is_no_file_of_one_value_is_a_bad_record(data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        converter().to_connect_data("t", data)


def test_records_that_the_configured_schema_does_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="name"):
        converter(schema_content=json.dumps(AVRO)).from_connect_data(
            "t", Schema(Type.STRUCT, name="crm.User", fields={"id": INT64_SCHEMA, "full_name": STRING_SCHEMA}), {}
        )


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"schema_content": "{"}, "schema.content"),
        ({"schema_content": '"nonsense"'}, "schema.content"),
        ({"schema_file": "/nowhere.avsc"}, "schema.file"),
        ({"schema_file": "/a", "schema_content": '"int"'}, "schema.file"),
    ],
)
def test_a_schema_that_is_none_is_refused_by_key(settings: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        converter(**settings)
    assert caught.value.key == key


def test_a_file_beyond_the_workers_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user.avsc").write_text(json.dumps(AVRO))
    monkeypatch.setattr(bounds, "_bounds", bounds.Bounds.from_props({"file.allowed.paths": str(tmp_path / "in")}))
    with pytest.raises(ConfigError, match=r"file\.allowed\.paths"):
        converter(schema_file=str(tmp_path / "user.avsc"))
