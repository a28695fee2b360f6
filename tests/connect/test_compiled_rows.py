"""Records built from rows."""

from __future__ import annotations

import pytest

from kconnect.compiled_rows import CompiledRows
from kconnect.record import RowBatch, SourceRecord
from kconnect.schema import INT64_SCHEMA, STRING_SCHEMA
from kconnect.schema_builder import SchemaBuilder

USER = SchemaBuilder.struct().field("id", INT64_SCHEMA).field("odd 'name'", STRING_SCHEMA).build()
EMPTY = SchemaBuilder.struct().build()


def test_each_row_becomes_a_record() -> None:
    batch = RowBatch(
        "users", USER, [(1, "a"), (2, "b")], {"t": "u"}, [{"id": 1}, {"id": 2}], INT64_SCHEMA, [1, 2], timestamp=5
    )
    assert CompiledRows().apply(batch) == [
        SourceRecord({"t": "u"}, {"id": at}, "users", None, INT64_SCHEMA, at, USER, {"id": at, "odd 'name'": name}, 5)
        for at, name in ((1, "a"), (2, "b"))
    ]


def test_rows_may_be_without_keys_and_offsets() -> None:
    (record,) = CompiledRows().apply(RowBatch("users", USER, [(1, "a")], {"t": "u"}, None))
    assert (record.source_offset, record.key_schema, record.key, record.timestamp) == (None, None, None, None)


def test_rows_without_fields_are_empty_structs() -> None:
    (record,) = CompiledRows().apply(RowBatch("empty", EMPTY, [()], {}, [{}]))
    assert record.value == {}


@pytest.mark.parametrize(
    ("rows", "offsets"), [([(1,)], [{}]), ([(1, "a", None)], [{}]), ([(1, "a")], []), ([(1, "a")], [{}, {}])]
)
def test_what_does_not_fit_together_is_an_error(rows: list[tuple[object, ...]], offsets: list[dict[str, int]]) -> None:
    with pytest.raises(ValueError, match=r"unpack|zip"):
        CompiledRows().apply(RowBatch("users", USER, rows, {}, offsets))
