"""The typed Config class over ConfigDef."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest

from kconnect.config import (
    HIGH,
    NO_DEFAULT,
    Config,
    ConfigDef,
    ConfigError,
    Importance,
    NonEmptyString,
    Password,
    Range,
    Type,
    key,
)
from kconnect.sink import SinkConnector, SinkTask


class RedisConfig(Config):
    url: str = key(name="redis.uri", doc="Where Redis is.", importance=HIGH)
    password: Password | None = key(name="redis.password", default=None, doc="Its password.")
    batch_size: Annotated[int, Range(1)] = key(default=500, doc="Records per pipeline.", group="Writing")
    mode: Literal["hash", "stream"] = key(default="hash", doc="How records are written.", group="Writing")
    fields: list[str] = key(default=[], doc="Fields to write.")
    max_wait: Annotated[int, Type.LONG] = key(default=0, doc="Milliseconds.")
    ratio: float = key(default=0.5, doc="A share.")
    enabled: bool = key(default=True, doc="Whether to write.")
    kinds: list[Literal["a", "b"]] = key(default=[], doc="Kinds.")
    limit: Annotated[int, Range(1)] | None = key(default=None, doc="None for no limit.")


class ClusterConfig(RedisConfig):
    nodes: list[str] = key(name="redis.nodes", doc="Nodes.")
    batch_size: Annotated[int, Range(1, 100)] = key(default=50, doc="Smaller here.")


GIVEN = {"redis.uri": "redis://here"}


def test_reads_text_into_typed_attributes() -> None:
    config = RedisConfig.parse(
        GIVEN
        | {
            "redis.password": "s3cret",
            "batch.size": " 7 ",
            "mode": "stream",
            "fields": "a, b",
            "max.wait": "9223372036854775807",
            "ratio": "0.25",
            "enabled": "FALSE",
            "kinds": "b",
            "limit": "3",
        }
    )
    assert config.url == "redis://here"
    assert config.password == Password("s3cret")
    assert (config.batch_size, config.mode, config.fields) == (7, "stream", ["a", "b"])
    assert (config.max_wait, config.ratio, config.enabled) == (2**63 - 1, 0.25, False)
    assert (config.kinds, config.limit) == (["b"], 3)


def test_defaults_stand_where_nothing_is_given_and_are_nobodys_own() -> None:
    config = RedisConfig.parse(GIVEN)
    assert (config.password, config.batch_size, config.mode, config.limit) == (None, 500, "hash", None)
    config.fields.append("x")
    assert RedisConfig.parse(GIVEN).fields == []


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({}, "redis.uri: is required"),
        ({"redis.url": "x"}, "redis.url is given: a slip?"),
        ({"redis.uri": None}, "redis.uri: needs a value"),
        (GIVEN | {"batch.size": "0"}, "batch.size=0: is too small (at least 1)"),
        (GIVEN | {"batch.size": "ten"}, "batch.size='ten': is not a whole number"),
        (GIVEN | {"batch.size": "2147483648"}, "does not fit into 32 bits"),
        (GIVEN | {"mode": "hsah"}, "mode='hsah': is not an allowed value (did you mean hash? allowed: hash, stream)"),
        (GIVEN | {"mode": None}, "mode: needs a value"),
        (GIVEN | {"enabled": "yes"}, "enabled='yes': is not a boolean (write true or false)"),
        (GIVEN | {"kinds": "a,c"}, "kinds='c': is not an allowed value"),
        (GIVEN | {"limit": "0"}, "limit=0: is too small"),
        (GIVEN | {"ratio": "half"}, "ratio='half': is not a number"),
        (GIVEN | {"redis.password": 5}, "redis.password: must be text"),
    ],
)
def test_a_wrong_value_names_key_value_and_remedy(props: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConfig.parse(props)
    assert message in str(caught.value)


def test_an_error_keeps_its_parts_apart() -> None:
    with pytest.raises(ConfigError) as caught:
        RedisConfig.parse(GIVEN | {"batch.size": "0"})
    error = caught.value
    assert (error.key, error.value, error.reason, error.suggestion) == ("batch.size", 0, "is too small", "at least 1")


def test_passwords_do_not_print() -> None:
    config = RedisConfig.parse(GIVEN | {"redis.password": "s3cret"})
    assert "s3cret" not in f"{config!r} {config} {config.password} {config.password!r}"
    assert "password=[hidden]" in repr(config)


def test_originals_are_what_was_given() -> None:
    props = GIVEN | {"other": "1", "redis.client.name": "me", "redis.client.": "no"}
    config = RedisConfig.parse(props)
    assert config.originals == props
    config.originals.clear()
    assert config.originals == props
    assert config.originals_with_prefix("redis.client.") == {"name": "me"}


def test_is_immutable_and_equal_by_value() -> None:
    config = RedisConfig.parse(GIVEN)
    with pytest.raises(AttributeError, match="immutable"):
        config.url = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del config.url
    assert config == RedisConfig.parse(GIVEN)
    assert hash(config) == hash(RedisConfig.parse(GIVEN))
    assert config != RedisConfig.parse({"redis.uri": "there"})
    assert config != ClusterConfig.parse(GIVEN | {"redis.nodes": ""})


def test_can_be_made_from_attributes() -> None:
    config = RedisConfig(url="x", batch_size=3)
    assert (config.url, config.batch_size, config.mode) == ("x", 3, "hash")
    with pytest.raises(ConfigError, match="too small"):
        RedisConfig(url="x", batch_size=0)
    with pytest.raises(TypeError, match="no attribute nonsense"):
        RedisConfig(url="x", nonsense=1)  # type: ignore[call-arg]


def test_a_subclass_adds_keys_and_declares_others_anew() -> None:
    config = ClusterConfig.parse(GIVEN | {"redis.nodes": "a,b"})
    assert (config.url, config.nodes, config.batch_size) == ("redis://here", ["a", "b"], 50)
    with pytest.raises(ConfigError, match="too large"):
        ClusterConfig.parse(GIVEN | {"redis.nodes": "", "batch.size": "101"})
    assert "redis.nodes" not in RedisConfig.config_def.keys
    assert RedisConfig.parse(GIVEN | {"batch.size": "101"}).batch_size == 101


def test_the_definition_is_that_of_kafka() -> None:
    keys = RedisConfig.config_def.keys
    assert list(keys)[:4] == ["redis.uri", "redis.password", "batch.size", "mode"]
    assert [keys[name].type for name in ("redis.password", "batch.size", "max.wait", "ratio", "fields")] == [
        Type.PASSWORD,
        Type.INT,
        Type.LONG,
        Type.DOUBLE,
        Type.LIST,
    ]
    assert keys["redis.uri"].importance is Importance.HIGH
    assert keys["redis.uri"].default is NO_DEFAULT
    assert (keys["mode"].group, keys["mode"].order_in_group) == ("Writing", 2)
    assert RedisConfig.config_def.groups == ["Writing"]
    assert all(key.doc for key in keys.values())


def test_settings_that_contradict_each_other_are_refused() -> None:
    class Window(Config):
        first: int = key(doc="From.")
        last: int = key(doc="To.")

        def _check(self) -> None:
            if self.last < self.first:
                raise ConfigError("is before first", key="last", value=self.last)

    assert Window.parse({"first": "1", "last": "2"}).last == 2
    with pytest.raises(ConfigError, match="last=1: is before first"):
        Window.parse({"first": "2", "last": "1"})


def test_a_mistake_in_a_declaration_is_told_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="annotation"):
        type("Bad", (Config,), {"a": key(doc="No annotation.")})
    with pytest.raises(TypeError, match="none that a configuration key can have"):

        class Odd(Config):
            a: dict[str, str] = key(doc="No such type.")

    with pytest.raises(ConfigError, match="too small"):

        class WrongDefault(Config):
            a: Annotated[int, Range(1)] = key(default=0, doc="Its default is refused.")

    with pytest.raises(ConfigError, match="defined twice"):
        ConfigDef([*RedisConfig.config_def.keys.values(), *RedisConfig.config_def.keys.values()])


C = TypeVar("C", bound=Config)


class Middle(SinkTask[C], Generic[C]):
    pass


class Task(Middle[RedisConfig]):
    def put(self, records: Any) -> None: ...


class Heir(Task):
    pass


class Connector(SinkConnector[RedisConfig]):
    task = Task


def test_a_contract_knows_its_config_class() -> None:
    assert (Middle.config_class, Task.config_class, Heir.config_class) == (Config, RedisConfig, RedisConfig)
    assert Connector.config_def() is RedisConfig.config_def
    assert [value.name for value in Connector().validate({}) if value.errors] == ["redis.uri"]


def test_text_validators_work_as_annotations() -> None:
    class Named(Config):
        name: Annotated[str, NonEmptyString()] = key(doc="A name.")

    with pytest.raises(ConfigError, match="name: must not be empty"):
        Named.parse({"name": " "})
