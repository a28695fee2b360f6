"""What holds for every transform, on all inputs of the golden vectors: nothing given is changed, batches are records
one by one."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from golden import case as vectors
from golden import decode
from golden.case import LeftOutError
from golden.compare import same
from golden.conftest import vectors_dir
from golden.java_transforms import PACKAGES, java_name
from kconnect.bounds import Bounds, set_bounds
from kconnect.errors import ConnectError
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.recipe_transform import CompiledTransforms, RecipeTransform
from kconnect.record import SinkRecord, SourceRecord
from kconnect.schema import INT64_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect.transform import Transform


def configured(plugins: Plugins) -> Iterator[tuple[Transform[Any], list[SourceRecord | SinkRecord]]]:
    """Every transform and configuration of the vectors that is built and valid, with its inputs."""
    grouped: dict[tuple[str, str], list[vectors.Case]] = defaultdict(list)
    for suite in PACKAGES:
        for each in vectors.load(vectors_dir() / f"{suite}.jsonl"):
            grouped[java_name(each), repr(each.config)].append(each)
    built = {name for info in plugins.of_kind(PluginKind.TRANSFORMATION) for name in info.java_names}
    for (cls, _), cases in grouped.items():
        if cls not in built:
            continue
        loaded: Any = plugins.load(plugins.resolve(PluginKind.TRANSFORMATION, cls))
        transform = loaded()
        try:
            transform.configure(loaded.config_class.parse(cases[0].config))
            yield transform, [record for each in cases for record in inputs(each)]
        except (ConnectError, LeftOutError):
            continue


def inputs(case: vectors.Case) -> list[Any]:
    records = [decode.record(each) for each in ([case.input] if case.inputs is None else case.inputs)]
    return [record for record in records if record is not None and record.topic is not None]


def outcome(transform: Transform[Any], record: Any) -> Any:
    try:
        return transform.apply(record)
    except ConnectError as error:
        return type(error)


@pytest.fixture(scope="module")
def transforms(plugins: Plugins) -> list[tuple[Transform[Any], list[Any]]]:
    found = list(configured(plugins))
    assert len(found) > 100
    return found


def test_no_transform_changes_what_it_is_given(transforms: list[tuple[Transform[Any], list[Any]]]) -> None:
    for transform, records in transforms:
        for record in records:
            before = copy.deepcopy(record)
            outcome(transform, record)
            assert same(before, record), transform


def test_a_batch_is_its_records_one_by_one(transforms: list[tuple[Transform[Any], list[Any]]]) -> None:
    for transform, records in transforms:
        fitting = [record for record in records if not isinstance(outcome(transform, record), type)]
        one_by_one = [transform.apply(record) for record in fitting]
        assert same(one_by_one, transform.apply_batch(fitting)), transform


def test_neighbours_compiled_together_do_what_each_does(
    transform, transforms: list[tuple[Transform[Any], list[Any]]]
) -> None:
    compared = 0
    for side in ("Key", "Value"):
        neighbour = transform(f"InsertField${side}", {"topic.field": "added"})
        for each, records in transforms:
            if not isinstance(each, RecipeTransform):
                continue
            for first, second in ((neighbour, each), (each, neighbour)):
                together: CompiledTransforms[Any] = CompiledTransforms([first, second])
                for record in records:
                    halfway = outcome(first, record)
                    expected = halfway if isinstance(halfway, type) else outcome(second, halfway)
                    made: list[Any] = []
                    try:
                        together.apply_into([record], made)
                    except ConnectError as error:
                        made = [type(error)]
                    assert same([expected], made), (first, second, record)
                    compared += not isinstance(expected, type)
    assert compared > 1000


AIVEN = "io.aiven.kafka.connect.transforms."
CONFLUENT = "io.confluent.connect.transforms."
ROW = Schema(Type.STRUCT, fields={"id": INT64_SCHEMA, "name": STRING_SCHEMA})


@pytest.mark.parametrize("schema", [ROW, None])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (AIVEN + "ExtractTimestamp$Value", {"field.name": "id"}),
        (AIVEN + "ExtractTopic$Value", {"field.name": "name"}),
        (AIVEN + "FilterByFieldValue$Key", {"field.name": "id", "field.value": "1"}),
        (AIVEN + "Hash$Key", {"field.name": "name", "function": "sha256"}),
        (AIVEN + "Hash$Value", {"field.name": "name", "function": "sha256"}),
        (AIVEN + "KeyToValue", {"key.fields": "*,id", "value.fields": "whole,id"}),
        (AIVEN + "MakeTombstone", {}),
        (AIVEN + "TombstoneHandler", {"behavior": "drop_silent"}),
        (CONFLUENT + "Drop$Value", {}),
        (CONFLUENT + "ExtractTopic$Value", {"field": "$.name", "field.format": "JSON_PATH"}),
        (CONFLUENT + "Filter$Value", {"filter.condition": "$[?(@.id > 1)]", "filter.type": "exclude"}),
        ("Python", {"expression": "{**value, 'twice': value['id'] * 2}"}),
    ],
)
def test_transforms_without_vectors_keep_the_contract_too(
    transform, schema: Schema | None, name: str, settings: dict[str, str]
) -> None:
    set_bounds(Bounds.from_props({"python.transform.allow": "expressions"}))
    try:
        made = transform(name, settings)
    finally:
        set_bounds(Bounds())
    rows = [{"id": n, "name": f"n{n}"} for n in range(3)]
    records = [SourceRecord(None, None, "t", None, schema, {**row}, schema, row) for row in rows]
    before = copy.deepcopy(records)
    one_by_one = [made.apply(record) for record in records]
    assert same(one_by_one, made.apply_batch(records))
    assert same(before, records)
