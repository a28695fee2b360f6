"""Chains of transforms: what is compiled together gives what its parts give one after another."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.compare import same
from kconnect.compiled_rows import CompiledRows
from kconnect.config import Config
from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError
from kconnect.plugin import Plugin
from kconnect.plugins import Plugins
from kconnect.record import Header, RowBatch, SinkRecord, SourceRecord
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, OPTIONAL_FLOAT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA
from kconnect.schema_builder import SchemaBuilder
from kconnect.transform import Transform
from kconnect_workers.tasks.chain import TransformationChain, TransformationStage

PLUGINS = Plugins.discover()
ORDER = (
    SchemaBuilder.struct()
    .name("Order")
    .field("id", INT64_SCHEMA)
    .field("customer", STRING_SCHEMA)
    .field("total", OPTIONAL_STRING_SCHEMA.replace(default="0"))
    .field("weight", OPTIONAL_FLOAT64_SCHEMA)
    .build()
)
USER = SchemaBuilder.struct().field("id", INT32_SCHEMA).field("total", OPTIONAL_STRING_SCHEMA).optional().build()

STEPS = [
    {"type": "InsertField$Value", "static.field": "source", "static.value": "shop", "topic.field": "topic!"},
    {"type": "InsertField$Value", "timestamp.field": "at", "partition.field": "part"},
    {"type": "InsertField$Key", "static.field": "source", "static.value": "shop"},
    {"type": "ReplaceField$Value", "exclude": "weight", "renames": "customer:client,total:customer"},
    {"type": "ReplaceField$Value", "include": "id,total,source", "replace.null.with.default": "false"},
    {"type": "ReplaceField$Value", "exclude": "total"},
    {"type": "Cast$Value", "spec": "total:float64,id:string"},
    {"type": "Cast$Value", "spec": "total:int32,weight:int8", "replace.null.with.default": "false"},
    {"type": "Cast$Value", "spec": "string"},
    {"type": "Cast$Key", "spec": "id:int16"},
    {"type": "ExtractField$Value", "field": "total"},
    {"type": "ExtractField$Key", "field": "id"},
    {"type": "ValueToKey", "fields": "id,total"},
    {"type": "RegexRouter", "regex": "(.*)-raw", "replacement": "$1"},
    {"type": "HoistField$Value", "field": "hoisted"},
    {"type": "Flatten$Value", "delimiter": "_"},
    {"type": "MaskField$Value", "fields": "total,weight"},
    {"type": "HeaderFrom$Value", "fields": "id", "headers": "id", "operation": "move"},
    {"type": "InsertHeader", "header": "h", "value.literal": "[1,2]"},
    {"type": "DropHeaders", "headers": "h"},
    {"type": "SetSchemaMetadata$Value", "schema.name": "Renamed", "schema.version": "2"},
    {"type": "TimestampConverter$Value", "field": "at", "target.type": "string", "format": "yyyy-MM-dd"},
    {"type": "TimestampConverter$Value", "field": "id", "target.type": "unix", "unix.precision": "seconds"},
    {"type": "TimestampRouter"},
    {"type": "Filter", "predicate": "gone"},
    {"type": "InsertField$Value", "topic.field": "routed", "predicate": "raw"},
    {"type": "ReplaceField$Value", "exclude": "id", "predicate": "gone", "negate": "true"},
]
PREDICATES = {
    "predicates": "raw,gone",
    "predicates.raw.type": "TopicNameMatches",
    "predicates.raw.pattern": ".*-raw",
    "predicates.gone.type": "RecordIsTombstone",
}


def chain_of(*steps: dict[str, str], **more: str) -> TransformationChain:
    props = {"transforms": ",".join(f"t{at}" for at in range(len(steps))), **PREDICATES, **more}
    for at, step in enumerate(steps):
        props |= {f"transforms.t{at}.{key}": value for key, value in step.items()}
    return TransformationChain.from_props(props, PLUGINS)


text = st.sampled_from(["12", "3.5", "", "x", "300"])
orders = st.fixed_dictionaries(
    {"id": st.integers(-(2**63), 2**63 - 1), "customer": text},
    optional={"total": st.none() | text, "weight": st.none() | st.floats()},
)
users = st.fixed_dictionaries({"id": st.integers(-(2**31), 2**31 - 1), "total": st.none() | text})
maps = st.dictionaries(
    st.sampled_from(["id", "total", "customer", "weight", "other"]), st.none() | text | st.integers()
)
values = st.one_of(
    st.tuples(st.just(ORDER), orders),
    st.tuples(st.just(USER), st.none() | users),
    st.tuples(st.none(), st.none() | maps | text | st.integers()),
    st.tuples(st.just(STRING_SCHEMA), text),
)


@st.composite
def records(draw: st.DrawFn) -> SourceRecord | SinkRecord:
    topic = draw(st.sampled_from(["orders", "orders-raw"]))
    (key_schema, key), (value_schema, value) = draw(values), draw(values)
    timestamp = draw(st.none() | st.integers(0, 2**41))
    if draw(st.booleans()):
        return SinkRecord(topic, 0, key_schema, key, value_schema, value, 7, timestamp=timestamp)
    headers = (Header("h", None, 1),)
    return SourceRecord({"t": 1}, {"o": 1}, topic, None, key_schema, key, value_schema, value, timestamp, headers)


@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=5), st.lists(records(), max_size=12))
def test_a_compiled_chain_gives_what_its_transforms_give_one_by_one(
    steps: list[dict[str, str]], batch: list[Any]
) -> None:
    chain = chain_of(*steps)
    before = copy.deepcopy(batch)
    fitting, one_by_one = [], []
    for record in batch:
        with suppress(ConnectError):
            one_by_one.append(chain.apply(record))
            fitting.append(record)
    assert same(one_by_one, chain.apply_batch(fitting))
    if len(fitting) < len(batch):
        with pytest.raises(ConnectError):
            chain.apply_batch(batch)
    assert same(before, batch)


@given(st.lists(st.sampled_from(STEPS), max_size=5), st.lists(orders, max_size=8), st.booleans())
def test_rows_become_what_their_records_become(
    steps: list[dict[str, str]], values: list[dict[str, Any]], with_keys: bool
) -> None:
    chain = chain_of(*steps)
    batch = RowBatch(
        "orders-raw",
        ORDER,
        [tuple(value.get(field.name) for field in ORDER.fields) for value in values],
        {"table": "orders"},
        [{"id": value["id"]} for value in values],
        key_schema=USER if with_keys else None,
        keys=[{"id": at, "total": None} for at in range(len(values))] if with_keys else None,
        timestamp=1483425001864,
    )
    records = CompiledRows().apply(batch)
    assert [record.value for record in records] == [{"total": None, "weight": None, **value} for value in values]
    try:
        expected = chain.apply_batch(records)
    except ConnectError:
        with pytest.raises(ConnectError):
            chain.apply_rows(batch)
    else:
        assert same(expected, chain.apply_rows(batch))


def order(**fields: Any) -> SourceRecord:
    value = {"id": 1, "customer": "c", "total": "5", "weight": None, **fields}
    return SourceRecord(None, None, "orders", value_schema=ORDER, value=value)


class DropOdd(Transform[Config]):
    def apply(self, record: Any) -> Any:
        return None if record.value["id"] % 2 else record


class Fails(Transform[Config]):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def apply(self, record: Any) -> Any:
        raise self._error


class LosesOne(Transform[Config]):
    def apply(self, record: Any) -> Any:
        return record

    def apply_batch(self, records: Any) -> Any:
        return list(records)[1:]


def test_dropped_records_keep_their_places_in_the_results() -> None:
    inserting = chain_of(STEPS[0]).stages[0]
    chain = TransformationChain(
        [
            inserting,
            TransformationStage("odd", DropOdd()),
            *chain_of(STEPS[5]).stages,
            TransformationStage("no", DropOdd()),
        ]
    )
    results = chain.apply_batch([order(id=at) for at in range(6)])
    assert [result and result.value["id"] for result in results] == [0, None, 2, None, 4, None]


@pytest.mark.parametrize(
    ("negate", "changed"), [(None, [False, True]), ("false", [False, True]), ("true", [True, False])]
)
def test_a_predicate_chooses_the_records_that_are_changed(negate: str | None, changed: list[bool]) -> None:
    step = {"type": "InsertField$Value", "static.field": "f", "static.value": "v", "predicate": "raw"}
    chain = chain_of(step if negate is None else {**step, "negate": negate})
    batch = [order(), order()]
    batch[1].topic = "orders-raw"
    results = chain.apply_batch(batch)
    assert ["f" in result.value for result in results if result is not None] == changed
    assert [chain.apply(record) for record in batch] == results


@pytest.mark.parametrize(
    ("raised", "expected", "says"),
    [
        (DataError("bad"), DataError, r"transforms\.mine \(Fails\): bad"),
        (RetriableError("later"), RetriableError, r"transforms\.mine \(Fails\): later"),
        (KeyError("id"), ConnectError, r"transforms\.mine \(Fails\) raised KeyError: 'id'"),
    ],
)
def test_an_error_keeps_its_branch_and_names_the_transform(
    raised: Exception, expected: type[ConnectError], says: str
) -> None:
    chain = TransformationChain([TransformationStage("mine", Fails(raised))])
    with pytest.raises(expected, match=says) as failure:
        chain.apply(order())
    assert type(failure.value) is expected
    assert chain.failing is Fails
    with pytest.raises(type(raised)):
        chain.apply_batch([order()])


def test_a_bad_field_is_named_with_its_transform() -> None:
    chain = chain_of(STEPS[0], STEPS[6])
    with pytest.raises(DataError, match=r"transforms\.t1 \(CastValue\): total: 'x' is not a number"):
        chain.apply(order(total="x"))


def test_a_batch_with_results_missing_is_an_error_of_the_transform() -> None:
    chain = TransformationChain([TransformationStage("mine", LosesOne())])
    with pytest.raises(ConnectError, match=r"transforms\.mine: apply_batch returned 1 results for 2 records"):
        chain.apply_batch([order(), order()])


def test_a_connector_without_transforms_has_an_empty_chain() -> None:
    chain = TransformationChain.from_props({}, PLUGINS)
    assert not chain
    batch = [order()]
    assert chain.apply_batch(batch) == batch
    assert chain.apply(batch[0]) is batch[0]


@pytest.mark.parametrize(
    ("props", "key", "says"),
    [
        ({"transforms": "a"}, "transforms.a.type", "missing"),
        ({"transforms": "a,,b"}, "transforms", "empty name"),
        ({"transforms": "a, a"}, "transforms", "twice"),
        ({"transforms": "a", "transforms.a.type": "InsertFeild$Value"}, "transforms.a.type", "InsertField"),
        ({"transforms": "a", "transforms.a.type": "TopicNameMatches"}, "transforms.a.type", "no transformation"),
        (
            {"transforms": "a", "transforms.a.type": "Cast$Value", "transforms.a.spec": "x:y"},
            "transforms.a.spec",
            "field:type",
        ),
        (
            {"transforms": "a", "transforms.a.type": "RegexRouter", "transforms.a.predicate": "p"},
            "transforms.a.predicate",
            "no such predicate",
        ),
        (
            {"transforms": "a", "transforms.a.type": "RegexRouter", "transforms.a.negate": "true"},
            "transforms.a.negate",
            "no predicate to negate",
        ),
        (
            {
                "transforms": "a",
                "transforms.a.type": "RegexRouter",
                "transforms.a.predicate": "raw",
                "transforms.a.negate": "maybe",
                **PREDICATES,
            },
            "transforms.a.negate",
            "neither true nor false",
        ),
        ({"predicates": "p"}, "predicates.p.type", "missing"),
        (
            {
                "transforms": "a",
                "transforms.a.type": "RegexRouter",
                "transforms.a.regex": "x",
                "transforms.a.replacement": "y",
                "transforms.a.predicate": "p",
                "predicates": "p",
                "predicates.p.type": "TopicNameMatches",
                "predicates.p.pattern": "(",
            },
            "predicates.p.pattern",
            "regular expression",
        ),
    ],
)
def test_a_wrong_configuration_names_the_connectors_key(props: dict[str, str], key: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refusal:
        TransformationChain.from_props(props, PLUGINS)
    assert refusal.value.key == key


class Closes(Transform[Config]):
    closed: list[str]

    def apply(self, record: Any) -> Any:
        return record

    def close(self) -> None:
        self.closed.append("closed")


@pytest.fixture
def closed() -> list[str]:
    Closes.closed = []
    return Closes.closed


class _Declared:
    """A package that declares the transform above."""

    @staticmethod
    def plugins() -> Plugins:
        class Source:
            name = "declared"
            dist = None

            @staticmethod
            def load() -> Any:
                from kconnect.hookspecs import hookimpl

                class Package:
                    @hookimpl
                    def register_transforms(self) -> list[Plugin]:
                        return [Plugin(f"{__name__}:Closes")]

                return Package()

        return Plugins.discover([Source()])


def test_what_was_made_is_closed_when_a_later_transform_is_refused(closed: list[str]) -> None:
    props = {"transforms": "a,b", "transforms.a.type": "Closes", "transforms.b.type": "Nonsense"}
    with pytest.raises(ConfigError):
        TransformationChain.from_props(props, _Declared.plugins())
    assert closed == ["closed"]
