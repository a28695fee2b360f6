"""The sink writes columns as it writes the records that they stand for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from kconnect.columnar import ColumnarRecords
from kconnect.errors import ConnectError
from kconnect.record import SinkRecord
from kconnect.schema import (
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT64_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    OPTIONAL_TIMESTAMP_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect.testing.columns import as_columns
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_sql.sink import SqlSink
from services.sql import POSTGRES, Database

EVERYTHING = {
    "name": OPTIONAL_STRING_SCHEMA,
    "id": INT64_SCHEMA,
    "amount": decimal_schema(2),
    "rate": FLOAT64_SCHEMA,
    "data": BYTES_SCHEMA,
    "day": DATE_SCHEMA,
    "at": OPTIONAL_TIMESTAMP_SCHEMA,
    "opens": TIME_SCHEMA,
}
ROW = Schema(Type.STRUCT, fields=EVERYTHING)
KEY = Schema(Type.STRUCT, fields={"region": STRING_SCHEMA, "nr": INT32_SCHEMA})


def sink(database: Database, **more: str) -> SinkTaskHarness:
    given = {name.replace("_", "."): value for name, value in more.items()}
    props = {**database.props, "auto.create": "true", "retry.backoff.ms": "10", **given}
    return SinkTaskHarness(SqlSink, props, reporting=True)


def row(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "name": f"name {number}",
        "id": number,
        "amount": Decimal(number).scaleb(-2),
        "rate": number / 8,
        "data": bytes([number]),
        "day": date(2026, 1, number),
        "at": None if number == 2 else datetime(2026, 1, number, 12, tzinfo=UTC),
        "opens": time(number),
        **changed,
    }


def batch(run: SinkTaskHarness, numbers: list[int]) -> list[SinkRecord]:
    return [
        run.record(row(number, name=f"{number} at {at}"), ROW, key={"region": "eu", "nr": number}, key_schema=KEY)
        for at, number in enumerate(numbers)
    ]


def written(database: Database) -> list[tuple[Any, ...]]:
    return sorted(database.rows("SELECT * FROM orders"), key=repr)


KEYS: list[dict[str, str]] = [
    {"pk_mode": "kafka"},
    {"pk_mode": "record_value", "pk_fields": "id"},
    {"pk_mode": "record_value", "pk_fields": "day,id", "fields_whitelist": "name,at"},
    {"pk_mode": "record_key"},
    {"pk_mode": "record_key", "pk_fields": "nr"},
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    ("mode", "keys"),
    [("insert", {}), *[("insert", keys) for keys in KEYS], *[("upsert", keys) for keys in KEYS]],
)
def test_columns_become_the_rows_that_records_become(
    database: Database, mode: str, keys: dict[str, str], zone: str
) -> None:
    found = []
    for convert in (list, as_columns):
        with sink(database, insert_mode=mode, db_timezone=zone, **keys) as run:
            run.put(convert(batch(run, [1, 2, 1] if mode == "upsert" else [1, 2, 3])))
        found.append(written(database))
        database.run("DROP TABLE orders")
    assert found[0] == found[1]
    assert len(found[0]) == (2 if mode == "upsert" and keys["pk_mode"] != "kafka" else 3)


def test_a_plain_key_is_a_column(database: Database) -> None:
    value = Schema(Type.STRUCT, fields={"name": STRING_SCHEMA})
    with sink(database, insert_mode="upsert", pk_mode="record_key", pk_fields="nr") as run:
        run.put(as_columns([run.record({"name": "a"}, value, key=n, key_schema=INT64_SCHEMA) for n in (1, 2)]))
    assert written(database) == [(1, "a"), (2, "a")]


def test_columns_are_cut_to_the_batch_size(database: Database) -> None:
    with sink(database, batch_size="2") as run:
        run.put(as_columns(batch(run, [1, 2, 3, 4, 5])))
    assert len(written(database)) == 5


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_of_columns_just_the_bad_row_is_reported(database: Database, mode: str) -> None:
    """PostgreSQL keeps no NUL in a text; SQLite keeps no row without a value that it has to have."""
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    schema = Schema(Type.STRUCT, fields={"id": INT32_SCHEMA, "name": OPTIONAL_STRING_SCHEMA})
    bad = "\0" if database.is_postgres else None
    with sink(database, insert_mode=mode, pk_mode="record_value", pk_fields="id") as run:
        records = [run.record({"id": n, "name": bad if n == 3 else "x"}, schema) for n in range(1, 6)]
        run.put(as_columns(records))
        assert [record for record, _ in run.context.reports] == [records[2]]
        assert "orders-0@2" in str(run.context.reports[0][1])
    assert [number for number, _ in written(database)] == [1, 2, 4, 5]


def test_columns_whose_records_nobody_takes_stay_columns(database: Database) -> None:
    """The first batch shows one record what there is; from then on none is built."""
    with sink(database) as run:
        run.put(as_columns(batch(run, [1])))
        run.put(_unbuildable(as_columns(batch(run, [2, 3]))))
    assert len(written(database)) == 3


def _unbuildable(records: ColumnarRecords) -> ColumnarRecords:
    def refuse(_: ColumnarRecords) -> list[SinkRecord]:
        raise AssertionError("somebody took a record")

    records._build = refuse
    return records


def test_what_a_table_lacks_is_named_for_columns_too(database: Database) -> None:
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    with (
        sink(database) as run,
        pytest.raises(ConnectError, match=r"lacks the columns name, amount, .* of orders-0@0"),
    ):
        run.put(as_columns(batch(run, [1])))


@pytest.mark.parametrize("database", [POSTGRES], indirect=True)
def test_parts_of_an_upsert_leave_nothing_to_one_another(database: Database) -> None:
    """They are staged in the same temporary table, within one transaction and after it: PostgreSQL would refuse a key
    twice, and a row left over would undo what others changed."""
    schema = Schema(Type.STRUCT, fields={"id": INT32_SCHEMA, "name": STRING_SCHEMA})
    with sink(database, insert_mode="upsert", pk_mode="record_value", pk_fields="id", batch_size="1") as run:
        run.put(as_columns([run.record({"id": 1, "name": name}, schema) for name in ("a", "b", "c")]))
        assert written(database) == [(1, "c")]
        database.run("UPDATE orders SET name = 'changed'")
        run.put(as_columns([run.record({"id": 2, "name": "d"}, schema)]))
    assert written(database) == [(1, "changed"), (2, "d")]


@pytest.mark.parametrize("database", [POSTGRES], indirect=True)
@pytest.mark.parametrize(("zone", "hour"), [("UTC", 12), ("Europe/Berlin", 13), ("America/New_York", 7)])
def test_instants_are_kept_as_the_clock_of_the_database_shows_them(database: Database, zone: str, hour: int) -> None:
    database.run("CREATE TABLE orders (id BIGINT, at TIMESTAMP, exact TIMESTAMPTZ)")
    fields = {"id": INT64_SCHEMA, "at": OPTIONAL_TIMESTAMP_SCHEMA, "exact": OPTIONAL_TIMESTAMP_SCHEMA}
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    with sink(database, db_timezone=zone) as run:
        values = [{"id": 1, "at": noon, "exact": noon}, {"id": 2, "at": None, "exact": None}]
        run.put(as_columns([run.record(value, Schema(Type.STRUCT, fields=fields)) for value in values]))
    assert written(database) == [(1, datetime(2026, 1, 15, hour), noon), (2, None, None)]
