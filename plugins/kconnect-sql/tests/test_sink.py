from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.record import SinkRecord
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT64_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect.schema_builder import SchemaBuilder
from kconnect.testing.conformance import SinkConformance, validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_sql.sink import SqlSink
from services.sql import POSTGRES, SQLALCHEMY, SQLITE, Database


def struct(**fields: Schema) -> Schema:
    builder = SchemaBuilder.struct()
    for name, schema in fields.items():
        builder.field(name, schema)
    return builder.build()


KEY = struct(id=INT64_SCHEMA)
ORDER = struct(id=INT64_SCHEMA, name=OPTIONAL_STRING_SCHEMA)
BY_VALUE = {"pk_mode": "record_value", "pk_fields": "id"}
BY_KEY = {"pk_mode": "record_key", "pk_fields": "id"}


def props_of(database: Database, **more: str) -> dict[str, str]:
    given = {name.replace("_", "."): value for name, value in more.items()}
    return {**database.props, "auto.create": "true", "retry.backoff.ms": "10"} | given


def sink(database: Database, *, reporting: bool = False, **more: str) -> SinkTaskHarness:
    return SinkTaskHarness(SqlSink, props_of(database, **more), reporting=reporting)


def order(run: SinkTaskHarness, number: int, name: Any = None, **more: Any) -> SinkRecord:
    return run.record({"id": number, "name": name}, ORDER, **more)


def keyed(run: SinkTaskHarness, number: int, name: str | None) -> SinkRecord:
    """With a key, and a tombstone if `name` is None."""
    value = None if name is None else {"id": number, "name": name}
    return run.record(value, None if name is None else ORDER, key={"id": number}, key_schema=KEY)


def orders(database: Database) -> list[tuple[Any, ...]]:
    return database.rows("SELECT id, name FROM orders ORDER BY id")


class TestSqlSink(SinkConformance):
    connector_class = SqlSink

    @pytest.fixture(params=["insert", "upsert"])
    def props(self, request: pytest.FixtureRequest, database: Database) -> dict[str, str]:
        self.database = database
        return props_of(database, insert_mode=request.param, **(BY_VALUE if request.param == "upsert" else {}))

    def writes_once(self, props: dict[str, str]) -> bool:
        return props["insert.mode"] == "upsert"

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [order(run, number, "x") for number in range(3)]

    def written(self, props: dict[str, str]) -> int:
        return len(orders(self.database))


def test_insert_without_a_key_keeps_every_record(database: Database) -> None:
    with sink(database) as run:
        run.put([order(run, 1, "a"), order(run, 1, "b")])
    assert sorted(orders(database)) == [(1, "a"), (1, "b")]


def test_upsert_keeps_the_last_of_each_key(database: Database) -> None:
    with sink(database, insert_mode="upsert", **BY_VALUE) as run:
        run.put([order(run, 1, "a"), order(run, 2, "b"), order(run, 1, "c")])
        run.put([order(run, 2, "d"), order(run, 3, None)])
    assert orders(database) == [(1, "c"), (2, "d"), (3, None)]


def test_ever_new_schemas_are_not_all_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sink_task.SHAPES_MAX", "table_form.FITTING_MAX", "postgres_writer.STAGED_MAX"):
        monkeypatch.setattr(f"kconnect_sql.{name}", 3)
    with sink(database, insert_mode="upsert", auto_evolve="true", **BY_VALUE) as run:
        for number in range(8):
            schema = struct(id=INT64_SCHEMA, **{f"f{number % 5}": OPTIONAL_STRING_SCHEMA})
            run.put([run.record({"id": number, f"f{number % 5}": str(number)}, schema)])
        assert len(run.task._shapes) <= 3
        assert len(run.task._form._fitting) <= 3
        if database.kind == "postgres":
            assert len(run.task._writer._staged) <= 3
    found = database.rows("SELECT id, f0, f1, f2, f3, f4 FROM orders ORDER BY id")
    assert [(row[0], row[1 + row[0] % 5]) for row in found] == [(number, str(number)) for number in range(8)]


def test_upsert_of_nothing_but_a_key(database: Database) -> None:
    with sink(database, insert_mode="upsert", **BY_VALUE) as run:
        for _ in range(2):
            run.put([run.record({"id": 1}, KEY)])
    assert database.rows("SELECT id FROM orders") == [(1,)]


def test_update_changes_rows_and_adds_none(database: Database) -> None:
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO orders VALUES (1, 'a')")
    with sink(database, insert_mode="update", **BY_VALUE) as run:
        run.put([order(run, 1, "b"), order(run, 2, "c"), order(run, 1, "d")])
    assert orders(database) == [(1, "d")]


def test_deletes_and_upserts_keep_their_order(database: Database) -> None:
    with sink(database, insert_mode="upsert", delete_enabled="true", **BY_KEY) as run:
        run.put([keyed(run, 1, "a"), keyed(run, 2, "b"), keyed(run, 1, None), keyed(run, 3, None), keyed(run, 3, "c")])
        assert orders(database) == [(2, "b"), (3, "c")]
        run.put([keyed(run, 2, None), keyed(run, 2, "back"), keyed(run, 3, None)])
    assert orders(database) == [(2, "back")]


def test_a_tombstone_is_refused_where_deletes_are_off(database: Database) -> None:
    with (
        sink(database, insert_mode="upsert", **BY_KEY) as run,
        pytest.raises(DataError, match=r"orders-0@1 is a tombstone; set delete.enabled=true"),
    ):
        run.put([keyed(run, 1, "a"), keyed(run, 2, None)])


def test_a_plain_key_takes_the_name_of_pk_fields(database: Database) -> None:
    with sink(database, insert_mode="upsert", delete_enabled="true", pk_mode="record_key", pk_fields="nr") as run:
        value = struct(name=STRING_SCHEMA)
        run.put([run.record({"name": "a"}, value, key=n, key_schema=INT64_SCHEMA) for n in (1, 2)])
        run.put([run.record(None, key=1, key_schema=INT64_SCHEMA)])
    assert database.rows("SELECT nr, name FROM orders") == [(2, "a")]


def test_pk_mode_kafka_makes_repeats_harmless(database: Database) -> None:
    with sink(database, insert_mode="upsert", pk_mode="kafka") as run:
        batch = [order(run, 1, "a"), order(run, 1, "b")]
        run.put(batch)
        run.put(batch)
    rows = database.rows(
        "SELECT __connect_topic, __connect_partition, __connect_offset, name FROM orders ORDER BY __connect_offset"
    )
    assert rows == [("orders", 0, 0, "a"), ("orders", 0, 1, "b")]


def test_fields_whitelist_leaves_others_out(database: Database) -> None:
    with sink(database, fields_whitelist="name", **BY_VALUE) as run:
        schema = struct(id=INT64_SCHEMA, name=STRING_SCHEMA, more=STRING_SCHEMA)
        run.put([run.record({"id": 1, "name": "a", "more": "b"}, schema)])
    assert database.rows("SELECT * FROM orders") == [(1, "a")]


@pytest.mark.parametrize(
    ("topic", "settings", "table"),
    [
        ("orders", {"table_name_format": "kafka_${topic}"}, "kafka_orders"),
        ("shop-orders", {"table_name_normalize": "true"}, "shop_orders"),
        ("shop.orders", {"topics_to_tables_mapping": "shop.orders:o,other:p"}, "o"),
        ('odd "name', {}, 'odd "name'),
    ],
)
def test_topics_become_tables(database: Database, topic: str, settings: dict[str, str], table: str) -> None:
    with sink(database, **settings) as run:
        run.put([order(run, 1, "a", topic=topic)])
    quoted = table.replace('"', '""')
    assert database.rows(f'SELECT id FROM "{quoted}"') == [(1,)]


def test_every_type_is_written_and_read_back(database: Database) -> None:
    schema = struct(
        id=INT64_SCHEMA,
        small=SchemaBuilder(Type.INT8).build(),
        ok=BOOLEAN_SCHEMA,
        ratio=FLOAT64_SCHEMA,
        price=decimal_schema(2),
        day=DATE_SCHEMA,
        clock=TIME_SCHEMA,
        at=TIMESTAMP_SCHEMA,
        raw=BYTES_SCHEMA,
        txt=STRING_SCHEMA,
    )
    value = {
        "id": 2**62,
        "small": -5,
        "ok": True,
        "ratio": 0.1,
        "price": Decimal("12.30"),
        "day": datetime.date(2026, 2, 3),
        "clock": datetime.time(4, 5, 6),
        "at": datetime.datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.UTC),
        "raw": b"\x00\xff",
        "txt": "é\t\\N\n",
    }
    with sink(database, **BY_VALUE) as run:
        run.put([run.record(value, schema)])
    [row] = database.rows("SELECT * FROM orders")
    if database.is_postgres:
        assert row == (*list(value.values())[:7], value["at"].replace(tzinfo=None), b"\x00\xff", "é\t\\N\n")
    else:
        times = ("2026-02-03", "04:05:06", "2026-02-03 04:05:06.789000")
        assert row == (2**62, -5, 1, 0.1, 12.3, *times, b"\x00\xff", "é\t\\N\n")


def test_auto_evolve_adds_what_records_bring(database: Database) -> None:
    wider = struct(id=INT64_SCHEMA, name=OPTIONAL_STRING_SCHEMA, note=OPTIONAL_STRING_SCHEMA)
    with sink(database, auto_evolve="true") as run:
        run.put([order(run, 1, "a"), run.record({"id": 2, "name": "b", "note": "n"}, wider), order(run, 3, "c")])
    assert database.rows("SELECT id, name, note FROM orders ORDER BY id") == [
        (1, "a", None),
        (2, "b", "n"),
        (3, "c", None),
    ]


def test_a_default_lets_a_required_column_be_added(database: Database) -> None:
    wider = struct(id=INT64_SCHEMA, state=SchemaBuilder(Type.STRING).default("it's new").build())
    with sink(database, auto_evolve="true") as run:
        run.put([run.record({"id": 1}, KEY)])
        run.put([run.record({"id": 2, "state": "old"}, wider)])
    assert database.rows("SELECT id, state FROM orders ORDER BY id") == [(1, "it's new"), (2, "old")]


@pytest.mark.parametrize(
    ("settings", "schema", "complaint"),
    [
        ({"auto_create": "false"}, KEY, r"there is no table orders2 for orders2-0@0: .*auto.create=true"),
        ({}, struct(id=INT64_SCHEMA, more=STRING_SCHEMA), r"table orders lacks the columns more of orders-0@1"),
        ({"auto_evolve": "true"}, struct(id=INT64_SCHEMA, more=STRING_SCHEMA), "lacks more of orders-0@1, which the"),
        ({}, struct(id=KEY), "the field id is of type struct, which no column holds"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_remedy(
    database: Database, settings: dict[str, str], schema: Schema, complaint: str
) -> None:
    nested = schema.fields[0].schema is KEY
    with sink(database, **settings) as run:
        if settings.get("auto_create") or nested:
            run.topic = "orders2"
        else:
            run.put([run.record({"id": 1}, KEY)])
        with pytest.raises(ConnectError, match=complaint):
            run.put([run.record({"id": {"id": 1} if nested else 1, "more": "x"}, schema)])


@pytest.mark.parametrize(
    ("value", "schema", "complaint"),
    [
        (
            {"id": 1},
            None,
            r"orders-0@0: its value has no schema, but pk.mode=record_value needs a struct; is the converter",
        ),
        ("text", STRING_SCHEMA, r"orders-0@0: its value has the schema string"),
        ({"nr": 1}, struct(nr=INT32_SCHEMA), r"orders-0@0 has no field id, which pk.fields names; it has nr"),
    ],
)
def test_a_record_that_is_no_row_is_refused(
    database: Database, value: Any, schema: Schema | None, complaint: str
) -> None:
    with sink(database, **BY_VALUE) as run, pytest.raises(DataError, match=complaint):
        run.put([run.record(value, schema)])


def bad_batch(database: Database, run: SinkTaskHarness) -> list[SinkRecord]:
    """Ten orders, of which the third and the last have a name that is too long."""
    kind = "VARCHAR(5)" if database.is_postgres else "TEXT CHECK (length(name) <= 5)"
    database.run(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, name {kind})")
    return [order(run, number, "much too long" if number in (2, 9) else "fits") for number in range(10)]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_a_bad_row_is_named_and_nothing_of_its_batch_stays(database: Database, mode: str) -> None:
    with (
        sink(database, insert_mode=mode, **BY_VALUE) as run,
        pytest.raises(DataError, match=r"orders-0@2: .*orders.* refuses a row|orders-0@2: .*cannot write"),
    ):
        run.put(bad_batch(database, run))
    assert orders(database) == []


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_bad_rows_are_reported_and_the_others_written(database: Database, mode: str) -> None:
    with sink(database, reporting=True, insert_mode=mode, **BY_VALUE) as run:
        run.put(bad_batch(database, run))
        assert [record.offset for record, _ in run.context.reports] == [2, 9]
        run.put([order(run, 20, "later")])
    assert [row[0] for row in orders(database)] == [0, 1, 3, 4, 5, 6, 7, 8, 20]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_text_that_utf8_cannot_hold_is_reported_and_the_others_written(database: Database, mode: str) -> None:
    """A lone surrogate, which JSON writes as "\\ud800"."""
    with sink(database, reporting=True, insert_mode=mode, **BY_VALUE) as run:
        run.put([order(run, 1, "a"), order(run, 2, "\ud800"), order(run, 3, "c")])
        [(record, error)] = run.context.reports
        assert record.value["id"] == 2
        assert isinstance(error, DataError)
        assert "surrogates not allowed" in str(error)
    assert orders(database) == [(1, "a"), (3, "c")]


def test_a_field_whose_name_utf8_cannot_hold_is_reported(database: Database) -> None:
    unwritable = struct(id=INT64_SCHEMA, **{"\ud800": OPTIONAL_STRING_SCHEMA})
    with sink(database, reporting=True, auto_evolve="true") as run:
        run.put([order(run, 1, "a")])
        run.put([run.record({"id": 2, "\ud800": None}, unwritable)])
        assert len(run.context.reports) == 1
    assert orders(database) == [(1, "a")]


@pytest.mark.parametrize("database", [POSTGRES, SQLALCHEMY], indirect=True)
def test_a_number_that_the_column_cannot_hold_is_refused(database: Database) -> None:
    """SQLite's integers are all of one size."""
    database.run("CREATE TABLE orders (id SMALLINT PRIMARY KEY, name TEXT)")
    with sink(database, **BY_VALUE) as run, pytest.raises(DataError, match=r"orders-0@1: .*orders refuses a row"):
        run.put([order(run, 1, "a"), order(run, 70_000, "b")])


@pytest.mark.parametrize("database", [POSTGRES], indirect=True)
def test_text_is_read_by_the_column_that_it_is_for(database: Database) -> None:
    """PostgreSQL's own way."""
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, name JSONB)")
    with sink(database, insert_mode="upsert", **BY_VALUE) as run:
        run.put([order(run, 1, '{"a": "\\\\t"}'), order(run, 2, None)])
    assert orders(database) == [(1, {"a": "\\t"}), (2, None)]


@pytest.mark.parametrize("database", [POSTGRES], indirect=True)
def test_arrays_become_arrays(database: Database) -> None:
    """PostgreSQL's own type."""
    schema = struct(id=INT64_SCHEMA, tags=SchemaBuilder.array(STRING_SCHEMA).build())
    with sink(database) as run:
        run.put([run.record({"id": 1, "tags": ["a", 'b"']}, schema)])
    assert database.rows("SELECT tags FROM orders") == [(["a", 'b"'],)]


@pytest.mark.parametrize("size", ["1", "2", "0"])
def test_batches_of_any_size_write_everything(database: Database, size: str) -> None:
    with sink(database, batch_size=size) as run:
        run.put([order(run, number, "x") for number in range(5)])
    assert len(orders(database)) == 5


@pytest.mark.parametrize("database", [SQLITE], indirect=True)
def test_a_locked_database_is_tried_again(database: Database) -> None:
    """Writers of PostgreSQL do not lock one another out."""
    with sink(database) as run, database.open() as other:
        run.put([order(run, 1, "a")])
        run.task._writer._connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        batch = [order(run, 2, "b")]
        with pytest.raises(RetriableError, match="locked"):
            run.put(batch)
        assert run.context.timeouts == [10]
        other.execute("ROLLBACK")
        run.put_until_done(batch)
    assert len(orders(database)) == 2


def test_bare_names_are_folded_by_the_database(database: Database) -> None:
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT)")
    schema = struct(ID=INT64_SCHEMA, Name=STRING_SCHEMA)
    bare = {"sql_quote_identifiers": "false", "pk_mode": "record_value", "pk_fields": "ID"}
    with sink(database, insert_mode="upsert", **bare) as run:
        run.put([run.record({"ID": 1, "Name": "a"}, schema)])
        with pytest.raises(ConnectError, match="'odd name' must be quoted"):
            run.put([run.record({"ID": 1, "Name": "a"}, schema, topic="odd name")])
    assert orders(database) == [(1, "a")]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"insert.mode": "merge"}, "insert.mode"),
        ({"insert.mode": "upsert"}, "pk.mode"),
        ({"delete.enabled": "true"}, "delete.enabled"),
        ({"pk.mode": "kafka", "pk.fields": "a"}, "pk.fields"),
        ({"topics.to.tables.mapping": "a"}, "topics.to.tables.mapping"),
        ({"timestamp.fields.list": "a"}, "timestamp.fields.list"),
    ],
)
def test_what_is_wrong_or_not_covered_is_refused_by_name(settings: dict[str, str], key: str) -> None:
    assert set(validation_errors(SqlSink, {"connection.url": "jdbc:sqlite:x.db"} | settings)) == {key}
