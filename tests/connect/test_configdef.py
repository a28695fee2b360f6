"""ConfigDef beyond what the golden vectors cover: dependents, recommenders, embedding, order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.config import HIGH, LOW, ConfigDef, ConfigError, ConfigKey, Type, convert_to_string, parse_type
from kconnect.validators import Range


class Tables:
    """Recommends tables of a database, and only when one is named."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        if parsed["database"] == "down":
            raise ConfigError("cannot list tables: the database does not answer", key=name)
        return [f"{parsed['database']}.orders"]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return parsed["database"] is not None


def definition() -> ConfigDef:
    return ConfigDef(
        [
            ConfigKey(name="table", type=Type.STRING, default=None, recommender=Tables()),
            ConfigKey(name="database", type=Type.STRING, default=None, dependents=("table",)),
        ]
    )


@pytest.mark.parametrize(
    ("props", "recommended", "visible", "errors"),
    [
        ({}, ["None.orders"], False, 0),
        ({"database": "shop"}, ["shop.orders"], True, 0),
        ({"database": "down"}, [], True, 1),
    ],
)
def test_a_recommender_sees_the_keys_that_it_depends_on(
    props: dict[str, str], recommended: list[str], visible: bool, errors: int
) -> None:
    table = next(value for value in definition().validate(props) if value.name == "table")
    assert (table.recommended_values, table.visible, len(table.errors)) == (recommended, visible, errors)


def test_a_dependent_that_is_not_defined_is_told() -> None:
    broken = ConfigDef([ConfigKey(name="a", type=Type.STRING, default="", dependents=("b",))])
    with pytest.raises(ConfigError, match="not defined: b"):
        broken.parse({})
    values = {value.name: value for value in broken.validate({})}
    assert values["b"].errors
    assert not values["b"].visible
    assert not values["a"].errors


def test_validation_finds_every_error_and_raises_none() -> None:
    keys = ConfigDef(
        [
            ConfigKey(name="n", type=Type.INT, default=1, validator=Range(1, 5)),
            ConfigKey(name="m", type=Type.BOOLEAN),
        ]
    )
    values = {value.name: value for value in keys.validate({"n": "9"})}
    assert (values["n"].value, len(values["n"].errors)) == (9, 1)
    assert (values["m"].value, len(values["m"].errors)) == (None, 1)


def test_embedded_keys_keep_what_they_are_under_a_prefix() -> None:
    outer = ConfigDef([ConfigKey(name="transforms", type=Type.LIST, default=[])])
    outer.embed("transforms.a.", "Transforms: a", 2, definition())
    keys = outer.keys
    assert list(keys) == ["transforms", "transforms.a.database", "transforms.a.table"]
    assert [(keys[name].group, keys[name].order_in_group) for name in list(keys)[1:]] == [
        ("Transforms: a", 2),
        ("Transforms: a", 3),
    ]
    table = next(v for v in outer.validate({"transforms.a.database": "shop"}) if v.name.endswith("table"))
    assert table.recommended_values == ["shop.orders"]
    assert "table" in definition().keys


def test_keys_are_listed_by_group_place_need_importance_and_name() -> None:
    keys = ConfigDef(
        [
            ConfigKey(name="grouped", type=Type.STRING, default="", group="G", order_in_group=1),
            ConfigKey(name="z", type=Type.STRING, default="", importance=HIGH),
            ConfigKey(name="a", type=Type.STRING, default="", importance=LOW),
            ConfigKey(name="b", type=Type.STRING, default="", importance=LOW),
            ConfigKey(name="needed", type=Type.STRING, importance=LOW),
        ]
    )
    assert [key.name for key in keys.sorted_keys()] == ["needed", "z", "a", "b", "grouped"]


def test_a_class_is_looked_up_by_whoever_knows_classes() -> None:
    def known(key: str, name: str) -> str:
        if name != "JsonConverter":
            raise ConfigError("is no converter", suggestion="JsonConverter")
        return name

    assert parse_type("c", " JsonConverter ", Type.CLASS, known) == "JsonConverter"
    assert parse_type("c", "Whatever", Type.CLASS) == "Whatever"
    with pytest.raises(ConfigError, match=r"c='Nope': is no converter \(JsonConverter\)"):
        parse_type("c", "Nope", Type.CLASS, known)


@given(st.floats(allow_nan=False))
def test_a_double_that_was_written_reads_back_the_same(value: float) -> None:
    assert parse_type("d", convert_to_string(value, Type.DOUBLE), Type.DOUBLE) == value


@given(st.text())
def test_a_password_is_never_part_of_a_message(secret: str) -> None:
    shown = convert_to_string(parse_type("p", secret, Type.PASSWORD), Type.PASSWORD)
    assert shown == "[hidden]"
