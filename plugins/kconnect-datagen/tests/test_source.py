from __future__ import annotations

import time

import pytest

from kconnect.schema import validate_value
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_datagen.datasets import DATASETS
from kconnect_datagen.source import DatagenSource

PROPS = {"kafka.topic": "orders", "rate": "100000", "iterations": "5"}


class TestDatagenSource(SourceConformance):
    connector_class = DatagenSource

    @pytest.fixture
    def props(self) -> dict[str, str]:
        return PROPS


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_fits_its_schema(dataset: str) -> None:
    with SourceTaskHarness(DatagenSource, {**PROPS, "quickstart": dataset}) as run:
        for record in run.poll_until(5):
            assert record.value_schema is not None
            validate_value(record.value_schema, record.value, dataset)
            assert record.key == record.value[DATASETS[dataset].key]


def test_stops_after_its_iterations() -> None:
    with SourceTaskHarness(DatagenSource, PROPS) as run:
        assert len(run.poll_until(5)) == 5
        run.commit()
        run.task.stop()
        assert run.poll() == []


def test_the_same_seed_makes_the_same_records_and_another_one_others() -> None:
    made = []
    for seed in ("1", "1", "2"):
        with SourceTaskHarness(DatagenSource, {**PROPS, "random.seed": seed}) as run:
            made.append([record.value for record in run.poll_until(5)])
    assert made[0] == made[1] != made[2]


def test_tasks_make_different_records() -> None:
    made = []
    for task in range(2):
        with SourceTaskHarness(DatagenSource, PROPS, task=task, max_tasks=2) as run:
            made.append([record.value for record in run.poll_until(5)])
    assert made[0] != made[1]


def test_keeps_to_its_rate() -> None:
    begin = time.monotonic()
    with SourceTaskHarness(DatagenSource, {**PROPS, "rate": "50", "iterations": "-1"}) as run:
        count = len(run.poll_until(10))
    assert count <= (time.monotonic() - begin) * 50 + 1


def test_an_unknown_dataset_is_refused_with_the_ones_there_are() -> None:
    [error] = validation_errors(DatagenSource, {**PROPS, "quickstart": "dragons"})["quickstart"]
    assert "orders" in error
