"""A connector's configuration checked as a whole, with a plugin of an orchard."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Annotated, Any

import pytest

from kconnect.bounds import Bounds, set_bounds
from kconnect.config import Config, ConfigError, ConfigValue, Password, Range, key
from kconnect.connector import ConnectorTransactionBoundaries, ExactlyOnceSupport
from kconnect.errors import ConnectError, NotFoundError
from kconnect.plugin import PluginInfo, PluginKind
from kconnect.plugins import Plugins
from kconnect.record import SinkRecord
from kconnect.sink import SinkConnector, SinkTask
from kconnect.source import SourceConnector, SourceTask
from kconnect.transform import Transform
from kconnect_workers.hosts.connector_validation import describe_plugin, validate_connector_config
from kconnect_workers.hosts.messages import ConfigInfos, ConfigValueInfo


class OrchardConfig(Config):
    tree: str = key(doc="The tree.", group="Garden")
    password: Password | None = key(default=None, doc="Of the gate.")
    apples: Annotated[int, Range(1)] = key(default=5, doc="How many.")


class Pick(SourceTask[OrchardConfig]):
    def poll(self) -> None:
        return None


class Orchard(SourceConnector[OrchardConfig]):
    task = Pick

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        match props.get("tree"):
            case "raising":
                raise RuntimeError("struck by lightning")
            case "refusing":
                raise ConfigError("bears no fruit", key="tree")
        values = super().validate(props)
        if props.get("tree") == "elm":
            next(value for value in values if value.name == "tree").add_error("an elm bears no apples")
            values.append(ConfigValue("soil", "clay", errors=["too wet"]))
        return values

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport | None:
        return {"sure": ExactlyOnceSupport.SUPPORTED, "unsure": ExactlyOnceSupport.UNSUPPORTED}.get(props["tree"])

    def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> ConnectorTransactionBoundaries:
        return ConnectorTransactionBoundaries(("un" if props["tree"] == "unsure" else "") + "supported")


class Store(SinkTask[Config]):
    def put(self, records: Sequence[SinkRecord]) -> None: ...


class Cellar(SinkConnector[Config]):
    task = Store


class Unmakeable(Cellar):
    def __init__(self) -> None:
        raise OSError("no cellar")


class PeelConfig(Config):
    knife: str = key(doc="Which knife.")
    deep: bool = key(default=False, doc="Peel deep.")


class Peel(Transform[PeelConfig]):
    def apply(self, record: Any) -> Any:
        return record


CLASSES = {
    "Orchard": PluginKind.SOURCE,
    "Cellar": PluginKind.SINK,
    "Unmakeable": PluginKind.SINK,
    "Peel": PluginKind.TRANSFORMATION,
    "Broken": PluginKind.TRANSFORMATION,
}
WORKER = {"key.converter": "StringConverter", "value.converter": "JsonConverter"}
SOURCE = {"name": "o", "connector.class": "Orchard", "tree": "apple"}
JSON = "value.converter.schemas"
SINK = {"name": "c", "connector.class": "Cellar", "topics": "t"}


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    module = ModuleType("orchard")
    for name in CLASSES:
        if name in globals():
            setattr(module, name, globals()[name])
    monkeypatch.setitem(sys.modules, "orchard", module)
    infos = [
        PluginInfo(f"orchard:{name}", kind, "kconnect-orchard", "1.5", aliases=frozenset({name}))
        for name, kind in CLASSES.items()
    ]
    return Plugins([*infos, *Plugins.discover().infos])


Validate = Callable[..., ConfigInfos]


@pytest.fixture
def validate(plugins: Plugins) -> Validate:
    def run(props: Mapping[str, str | None], **worker: str) -> ConfigInfos:
        changed = {name.replace("_", "."): value for name, value in worker.items()}
        return validate_connector_config(props, plugins, WORKER | changed)

    return run


def value(infos: ConfigInfos, name: str) -> ConfigValueInfo:
    return next(found for _, found in infos.configs if found.name == name)


def errors(infos: ConfigInfos) -> dict[str, list[str]]:
    return {found.name: found.errors for _, found in infos.configs if found.errors}


def test_a_good_configuration_has_no_errors_and_shows_every_key(validate: Validate) -> None:
    infos = validate(SOURCE | {"password": "s3cret"})
    assert (infos.name, infos.error_count, errors(infos)) == ("Orchard", 0, {})
    assert infos.groups[:4] == ["Common", "Transforms", "Predicates", "Error Handling"]
    assert infos.groups[-1] == "Garden"
    names = [found.name for _, found in infos.configs]
    assert names[0] == "name"
    assert names[-3:] == ["tree", "password", "apples"]
    assert (value(infos, "apples").value, value(infos, "password").value) == ("5", "[hidden]")
    assert "s3cret" not in str(infos)


def test_the_workers_converters_and_installed_versions_show_as_defaults(validate: Validate) -> None:
    infos = validate(SOURCE)
    assert value(infos, "value.converter").value == "JsonConverter"
    assert "org.apache.kafka.connect.json.JsonConverter" in value(infos, "value.converter").recommended_values
    assert value(infos, "connector.plugin.version").value == "1.5"
    assert value(infos, "connector.plugin.version").recommended_values == ["1.5"]


@pytest.mark.parametrize(
    ("props", "wrong"),
    [
        ({"tree": None}, {"tree": 1}),
        ({"apples": "many"}, {"apples": 2}),
        ({"tasks.max": "0", "errors.tolerance": "some"}, {"tasks.max": 1, "errors.tolerance": 1}),
        ({"key.converter": "Nope"}, {"key.converter": 1}),
        ({"header.converter": "RegexRouter"}, {"header.converter": 1}),
        ({"tree": "elm"}, {"tree": 1, "soil": 1}),
        ({"topic.creation.default.partitions": "0"}, {"topic.creation.groups": 1}),
        ({"producer.override.linger.mss": "5"}, {"producer.override.linger.mss": 1}),
        (
            {"value.converter": "JsonConverter", "value.converter.schemas.enable": "x"},
            {"value.converter.schemas.enable": 1},
        ),
        ({"transforms": "a"}, {"transforms.a.type": 1}),
        ({"transforms": "a", "transforms.a.type": "Pel"}, {"transforms.a.type": 1}),
        ({"transforms": "a", "transforms.a.type": "Peel"}, {"transforms.a.knife": 1}),
        ({"transforms": "a", "transforms.a.type": "Broken"}, {"transforms.a.type": 1}),
        (
            {"transforms": "a", "transforms.a.type": "Peel", "transforms.a.knife": "k", "transforms.a.predicate": "p"},
            {"transforms.a.predicate": 1},
        ),
        ({"transforms": "a,a", "transforms.a.type": "Peel"}, {"transforms": 1}),
        (
            {"predicates": "p", "predicates.p.type": "TopicNameMatches", "predicates.p.pattern": "("},
            {"predicates.p.pattern": 1},
        ),
    ],
)
def test_each_error_stands_at_its_key(validate: Validate, props: dict[str, str | None], wrong: dict[str, int]) -> None:
    infos = validate({name: text for name, text in (SOURCE | props).items() if text is not None})
    found = errors(infos)
    assert {name: len(messages) for name, messages in found.items()} == wrong
    assert infos.error_count == sum(wrong.values())


def test_messages_name_the_key_as_it_was_written_and_the_remedy(validate: Validate) -> None:
    props = {"transforms": "a,b", "transforms.a.type": "Pel", "transforms.b.type": "Peel", "transforms.b.deep": "y"}
    found = errors(validate(SOURCE | props))
    assert "did you mean Peel" in found["transforms.a.type"][0]
    assert found["transforms.b.deep"] == ["transforms.b.deep='y': is not a boolean (write true or false)"]
    assert "transforms.b.knife" in found["transforms.b.knife"][0]
    (broken,) = errors(validate(SOURCE | {"transforms": "a", "transforms.a.type": "Broken"}))["transforms.a.type"]
    assert "orchard:Broken of kconnect-orchard cannot be imported" in broken


@pytest.mark.parametrize(
    ("props", "key"),
    [
        ({"producer.override.compresion.type": "lz4"}, "producer.override.compresion.type"),
        ({"exactly.once.support": "required"}, "exactly.once.support"),
    ],
)
def test_what_is_wrong_beyond_a_value_itself_names_its_key(validate: Validate, props: dict[str, str], key: str) -> None:
    (error,) = errors(validate(SOURCE | props))[key]
    assert error.startswith(f"{key}: ")
    (suggested,) = re.findall(r"did you mean (.*)\?", error) or [""]
    names = suggested.split(" or ")
    assert len(set(names)) == len(names)


def test_a_transform_brings_its_keys_in_a_group_of_its_own(validate: Validate) -> None:
    infos = validate(
        SOURCE
        | {
            "transforms": "a",
            "transforms.a.type": "Peel",
            "transforms.a.knife": "small",
            "transforms.a.predicate": "gone",
            "predicates": "gone",
            "predicates.gone.type": "RecordIsTombstone",
        }
    )
    assert errors(infos) == {}
    keys = [found for found, _ in infos.configs if found is not None and found.group == "Transforms: a"]
    assert [(found.name, found.order_in_group) for found in keys] == [
        ("transforms.a.type", 0),
        ("transforms.a.plugin.version", 1),
        ("transforms.a.knife", 2),
        ("transforms.a.deep", 3),
        ("transforms.a.negate", 4),
        ("transforms.a.predicate", 5),
    ]
    assert "Predicates: gone" in infos.groups


@pytest.mark.parametrize("topics", [{"topics": ""}, {"topics.regex": "a"}])
def test_a_sink_must_choose_its_topics_in_one_way(validate: Validate, topics: dict[str, str]) -> None:
    assert set(errors(validate(SINK | topics))) == {"topics", "topics.regex"}


@pytest.mark.parametrize("topic", ["two words", "größe", "..", "a" * 250])
def test_a_name_that_no_topic_can_have_is_refused(validate: Validate, topic: str) -> None:
    found = errors(validate(SINK | {"topics": f"apples,{topic}"}))
    assert set(found) == {"topics"}
    assert repr(topic) in found["topics"][0]


@pytest.mark.parametrize(
    ("tree", "enabled", "wrong"),
    [
        ("sure", "enabled", set()),
        ("sure", "disabled", {"exactly.once.support"}),
        ("unsure", "ENABLED", {"exactly.once.support", "transaction.boundary"}),
        ("silent", "enabled", {"exactly.once.support"}),
    ],
)
def test_exactly_once_needs_worker_and_connector(validate: Validate, tree: str, enabled: str, wrong: set[str]) -> None:
    props = SOURCE | {"tree": tree, "exactly.once.support": "required", "transaction.boundary": "connector"}
    assert set(errors(validate(props, exactly_once_source_support=enabled))) == wrong


@pytest.fixture
def bounded() -> Iterator[None]:
    set_bounds(Bounds.from_props({"egress.allow": "kafka:9092", "file.allowed.paths": "/srv"}))
    yield
    set_bounds(Bounds())


def test_client_overrides_keep_within_the_workers_bounds(validate: Validate, bounded: None) -> None:
    reaching_out = {
        "producer.override.bootstrap.servers": "kafka:9092,elsewhere:9092",
        "producer.override.ssl.truststore.location": "/elsewhere/trust.jks",
    }
    found = errors(validate(SOURCE | reaching_out))
    assert "egress.allow" in str(found["producer.override.bootstrap.servers"])
    assert "file.allowed.paths" in str(found["producer.override.ssl.truststore.location"])
    assert errors(validate(SOURCE | {"producer.override.bootstrap.servers": "kafka:9092"})) == {}


def test_python_is_refused_unless_the_worker_allows_it(validate: Validate, bounded: None) -> None:
    props = SOURCE | {"transforms": "p", "transforms.p.type": "Python", "transforms.p.expression": "value"}
    assert "python.transform.allow=expressions" in str(errors(validate(props))["transforms.p.expression"])
    set_bounds(Bounds.from_props({"python.transform.allow": "expressions"}))
    assert errors(validate(props)) == {}


@pytest.mark.parametrize(("version", "is_there"), [("[0.1,)", True), ("[9.0,)", False)])
def test_a_converter_is_used_in_the_version_that_is_asked_for(validate: Validate, version: str, is_there: bool) -> None:
    name = "value.converter.plugin.version"
    props = SOURCE | {"value.converter": "JsonConverter", name: version}
    assert (name in errors(validate(props))) is not is_there


def test_the_workers_policy_bounds_client_overrides(validate: Validate) -> None:
    props = SOURCE | {"producer.override.linger.ms": "5", "producer.override.ssl.key.password": "s3cret"}
    assert errors(validate(props)) == {}
    infos = validate(props, connector_client_config_override_policy="None")
    assert set(errors(infos)) == {"producer.override.linger.ms", "producer.override.ssl.key.password"}
    assert value(infos, "producer.override.linger.ms").value == "5"
    assert "s3cret" not in str(infos)


def test_our_own_keys_are_checked_where_they_are_given(validate: Validate) -> None:
    assert "errors.restart.delay.max.ms" not in [found.name for _, found in validate(SOURCE).configs]
    infos = validate(SOURCE | {"errors.restart.enable": "false", "errors.restart.delay.max.ms": "-1"})
    assert list(errors(infos)) == ["errors.restart.delay.max.ms"]
    assert value(infos, "errors.restart.enable").value == "false"


@pytest.mark.parametrize("wanted", ["9", "[2,)", "nonsense!"])
def test_a_version_that_is_not_installed_is_refused_with_the_one_that_is(validate: Validate, wanted: str) -> None:
    infos = validate(SOURCE | {"connector.plugin.version": wanted})
    assert set(errors(infos)) == {"connector.class", "connector.plugin.version"}
    assert value(infos, "connector.plugin.version").recommended_values == ["1.5"]
    assert errors(validate(SOURCE | {"connector.plugin.version": "[1,2)"})) == {}


@pytest.mark.parametrize(
    ("props", "error", "message"),
    [
        ({"connector.class": ""}, ConfigError, "connector.class: is required"),
        ({"connector.class": "Orchad"}, ConfigError, "did you mean Orchard"),
        ({"connector.class": "Peel"}, ConfigError, "no connector of the name Peel"),
        ({"tree": "raising"}, ConnectError, "orchard:Orchard failed to validate .* RuntimeError: struck by lightning"),
        ({"tree": "refusing"}, ConfigError, "tree: bears no fruit"),
        ({"connector.class": "Unmakeable"}, ConnectError, "orchard:Unmakeable cannot be made: OSError: no cellar"),
    ],
)
def test_what_cannot_be_checked_is_an_error_that_names_the_plugin(
    validate: Validate, props: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        validate(SOURCE | props)


PROVIDERS = {"config_providers": "env", "config_providers_env_class": "EnvVarConfigProvider"}


def test_variables_are_replaced_for_the_check_and_shown_as_they_were_given(
    validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHARD_TREE", "apple")
    monkeypatch.setenv("ORCHARD_SECRET", "s3cret-number")
    good = validate(SOURCE | {"tree": "${env:ORCHARD_TREE}", "password": "${env:ORCHARD_SECRET}"}, **PROVIDERS)
    assert errors(good) == {}
    assert (value(good, "tree").value, value(good, "password").value) == (
        "${env:ORCHARD_TREE}",
        "${env:ORCHARD_SECRET}",
    )
    bad = validate(SOURCE | {"apples": "${env:ORCHARD_SECRET}"}, **PROVIDERS)
    assert "apples='${env:ORCHARD_SECRET}': is not a whole number" in errors(bad)["apples"][0]
    assert "s3cret-number" not in str(bad)
    with pytest.raises(ConfigError, match=r"tree: \$\{env:ORCHARD_NOPE\} cannot be replaced"):
        validate(SOURCE | {"tree": "${env:ORCHARD_NOPE}"}, **PROVIDERS)


def test_a_plugin_is_described_by_its_keys(plugins: Plugins) -> None:
    assert [found.name for found in describe_plugin(plugins, "Peel")] == ["knife", "deep"]
    connector = {found.name: found for found in describe_plugin(plugins, "Orchard")}
    assert list(connector)[:4] == ["tree", "password", "apples", "name"]
    assert connector["connector.plugin.version"].default_value == "1.5"
    assert connector["password"].type == "PASSWORD"
    converter = describe_plugin(plugins, "JsonConverter", PluginKind.CONVERTER)
    assert [found.name for found in converter][:2] == ["converter.type", "schemas.enable"]


def test_what_is_not_installed_or_has_no_keys_cannot_be_described(plugins: Plugins) -> None:
    with pytest.raises(NotFoundError, match="Pel "):
        describe_plugin(plugins, "Pel")
    with pytest.raises(ConfigError, match="has no keys to describe"):
        describe_plugin(plugins, "EnvVarConfigProvider")
