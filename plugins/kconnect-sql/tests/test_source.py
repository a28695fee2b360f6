from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from kconnect.errors import ConnectError, RetriableError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIMESTAMP_NAME, Type
from kconnect.testing.conformance import SourceConformance
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_sql.source import SqlSource
from services.processes import poll_until
from services.sql import SQLITE, Database

ITEMS = "CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(40), at TIMESTAMP NOT NULL)"


def props_of(database: Database, mode: str = "incrementing", **more: str) -> dict[str, str]:
    modes = {
        "bulk": {},
        "incrementing": {"incrementing.column.name": "id"},
        "timestamp": {"timestamp.column.name": "at"},
        "timestamp+incrementing": {"incrementing.column.name": "id", "timestamp.column.name": "at"},
    }
    given = {name.replace("_", "."): value for name, value in more.items()}
    common = {**database.props, "topic.prefix": "t.", "poll.interval.ms": "10", "mode": mode}
    return common | modes[mode] | given


def source(database: Database, mode: str = "incrementing", **more: str) -> SourceTaskHarness:
    return SourceTaskHarness(SqlSource, props_of(database, mode, **more))


def again(run: SourceTaskHarness) -> SourceTaskHarness:
    return SourceTaskHarness(SqlSource, run.connector.props, offsets=run.offsets)


def add(database: Database, *ids: int, second: int | None = None) -> None:
    """Items; `at` is that second of an old minute, or the id's."""
    for number in ids:
        at = f"2026-01-01 00:00:{number if second is None else second:02d}"
        database.run(f"INSERT INTO items VALUES ({number}, 'item {number}', '{at}')")


def ids(records: list[Any]) -> list[int]:
    return [record.value["id"] for record in records]


@pytest.fixture
def items(database: Database) -> Database:
    database.run(ITEMS)
    add(database, 1, 2, 3)
    return database


class TestSqlSource(SourceConformance):
    connector_class = SqlSource

    @pytest.fixture(params=["incrementing", "timestamp+incrementing"])
    def props(self, request: pytest.FixtureRequest, items: Database) -> dict[str, str]:
        return props_of(items, request.param)


@pytest.mark.parametrize("mode", ["incrementing", "timestamp", "timestamp+incrementing"])
def test_rows_that_come_while_polling_are_read_once_each(items: Database, mode: str) -> None:
    with source(items, mode) as run:
        assert ids(run.poll_until(3)) == [1, 2, 3]
        for number in (4, 5):
            add(items, number)
            assert ids(run.poll_until(1)) == [number]
        assert run.poll() == []


def test_bulk_reads_everything_each_time(items: Database) -> None:
    with source(items, "bulk") as run:
        first = run.poll_until(3)
        assert ids(run.poll_until(3)) == ids(first) == [1, 2, 3]
        assert first[0].source_offset is None


@pytest.mark.parametrize("mode", ["timestamp", "timestamp+incrementing"])
def test_a_row_that_is_changed_comes_again(items: Database, mode: str) -> None:
    with source(items, mode) as run:
        run.poll_until(3)
        items.run("UPDATE items SET name = 'changed', at = '2026-01-01 00:01:00' WHERE id = 2")
        [record] = run.poll_until(1)
        assert record.value["name"] == "changed"


def test_offsets_are_those_of_the_jdbc_connectors(items: Database) -> None:
    name = "public.items" if items.kind == "postgres" else "items"
    with source(items, "timestamp+incrementing") as run:
        record = run.poll_until(3)[0]
    assert record.source_partition == {"protocol": "1", "table": name}
    assert record.source_offset == {"incrementing": 1, "timestamp": 1767225601000, "timestamp.nanos": 0}
    assert record.topic == "t.items"


@pytest.mark.parametrize("partition", [{"protocol": "1", "table": "items"}, {"table": "items"}])
def test_an_offset_of_a_jdbc_connector_is_taken_over_and_kept_in_its_place(
    items: Database, partition: dict[str, str]
) -> None:
    offsets = MemoryOffsets()
    offsets.store(partition, {"incrementing": 2})
    with SourceTaskHarness(SqlSource, props_of(items), offsets=offsets) as run:
        assert ids(run.poll_until(1)) == [3]
        run.commit()
    assert offsets.all() == [(partition, {"incrementing": 3})]


@pytest.mark.parametrize("mode", ["incrementing", "timestamp", "timestamp+incrementing"])
def test_goes_on_where_it_was(items: Database, mode: str) -> None:
    with source(items, mode) as run:
        run.poll_until(3)
        run.commit()
    add(items, 4)
    with again(run) as second:
        assert ids(second.poll_until(1)) == [4]


def test_rows_of_one_timestamp_are_not_lost_between_batches(items: Database) -> None:
    """The offset of a row in the middle of equal timestamps must bring back all of them."""
    add(items, 11, 12, 13, 14, second=30)
    with source(items, "timestamp", batch_max_rows="2") as run:
        records = run.poll_until(7)
    assert ids(records) == [1, 2, 3, 11, 12, 13, 14]
    for index, record in enumerate(records):
        offsets = MemoryOffsets()
        offsets.store(record.source_partition or {}, record.source_offset)
        add(items, 50, second=50) if index == 0 else None
        with SourceTaskHarness(SqlSource, run.connector.props, offsets=offsets) as second:
            rest = ids(second.poll_until(1))
            while batch := second.poll():
                rest += ids(batch)
        assert set(rest) >= {*ids(records)[index + 1 :], 50}


def test_the_timestamp_delay_holds_young_rows_back(items: Database) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    items.run(f"INSERT INTO items VALUES (9, 'young', '{now.isoformat(sep=' ')}')")
    with source(items, "timestamp", timestamp_delay_interval_ms="3600000") as run:
        assert ids(run.poll_until(3)) == [1, 2, 3]
        assert run.poll() == run.poll() == []


def test_timestamp_initial_leaves_older_rows_out(items: Database) -> None:
    with source(items, "timestamp", timestamp_initial_ms="1767225602000") as run:
        assert ids(run.poll_until(1)) == [3]


def test_incrementing_initial_leaves_smaller_numbers_out(items: Database) -> None:
    with source(items, incrementing_initial="2") as run:
        assert ids(run.poll_until(1)) == [3]


def test_the_incrementing_column_is_found_by_itself(database: Database) -> None:
    kind = "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY" if database.is_postgres else "INTEGER PRIMARY KEY"
    database.run(f"CREATE TABLE items (id {kind}, name TEXT)", "INSERT INTO items (name) VALUES ('a'), ('b')")
    with source(database, incrementing_column_name="") as run:
        assert ids(run.poll_until(2)) == [1, 2]


def test_the_first_timestamp_that_is_not_null_counts(database: Database) -> None:
    database.run(
        "CREATE TABLE items (id INTEGER, changed TIMESTAMP, made TIMESTAMP NOT NULL)",
        "INSERT INTO items VALUES (1, NULL, '2026-01-02'), (2, '2026-01-03', '2026-01-01')",
    )
    with source(database, "timestamp", timestamp_column_name="changed,made") as run:
        assert ids(run.poll_until(2)) == [1, 2]


@pytest.mark.parametrize("mode", ["bulk", "incrementing", "timestamp+incrementing"])
def test_a_query_is_read_in_each_mode(items: Database, mode: str) -> None:
    query = "SELECT id, name AS label, at FROM items WHERE name LIKE 'item%' AND id <> 2"
    with source(items, mode, query=query, topic_prefix="labels") as run:
        records = run.poll_until(2)
        assert [(r.topic, r.value["id"], r.value["label"]) for r in records] == [
            ("labels", 1, "item 1"),
            ("labels", 3, "item 3"),
        ]
        if mode != "bulk":
            assert records[0].source_partition == {"query": "query"}
            add(items, 4)
            assert ids(run.poll_until(1)) == [4]


def test_a_suffix_is_added_to_the_query(items: Database) -> None:
    with source(items, query_suffix="LIMIT 1") as run:
        assert [ids(run.poll_until(1)) for _ in range(3)] == [[1], [2], [3]]


def test_types_become_connect_schemas(database: Database) -> None:
    database.run(
        "CREATE TABLE kinds (id INTEGER NOT NULL, big BIGINT, real_one DOUBLE PRECISION, ok BOOLEAN,"
        " price NUMERIC(10, 2), day DATE, at TIMESTAMP, txt TEXT, raw "
        + ("BYTEA" if database.is_postgres else "BLOB")
        + ")",
        "INSERT INTO kinds VALUES (1, 9007199254740993, 0.5, "
        + ("true" if database.is_postgres else "1")
        + ", 9.9, '2026-02-03', '2026-02-03 04:05:06.789', 'é', "
        + ("'\\x00ff'" if database.is_postgres else "x'00ff'")
        + ")",
        "INSERT INTO kinds (id) VALUES (2)",
    )
    with source(database, "bulk") as run:
        first, second = run.poll_until(2)
    assert first.value == {
        "id": 1,
        "big": 9007199254740993,
        "real_one": 0.5,
        "ok": True,
        "price": Decimal("9.90"),
        "day": datetime.date(2026, 2, 3),
        "at": datetime.datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.UTC),
        "txt": "é",
        "raw": b"\x00\xff",
    }
    assert set(second.value.values()) == {2, None}
    schema = first.value_schema
    assert schema is not None
    assert schema.name == "kinds"
    by_name = {field.name: field.schema for field in schema.fields}
    assert [by_name[name].name for name in ("price", "day", "at")] == [DECIMAL_NAME, DATE_NAME, TIMESTAMP_NAME]
    assert by_name["price"].parameters == {"scale": "2"}
    assert (by_name["id"].optional, by_name["big"].optional) == (False, True)
    assert by_name["big"].type is Type.INT64


@pytest.mark.parametrize(
    ("mapping", "kinds"),
    [
        ("none", ["Decimal", "Decimal"]),
        ("precision_only", ["int", "Decimal"]),
        ("best_fit", ["int", "float"]),
        ("best_fit_eager_double", ["int", "float"]),
    ],
)
def test_numerics_become_what_numeric_mapping_says(database: Database, mapping: str, kinds: list[str]) -> None:
    database.run("CREATE TABLE n (a NUMERIC(8, 0), b NUMERIC(8, 2))", "INSERT INTO n VALUES (7, 7.5)")
    with source(database, "bulk", numeric_mapping=mapping) as run:
        [record] = run.poll_until(1)
    assert [type(value).__name__ for value in record.value.values()] == kinds


def test_a_decimal_of_many_digits_is_exact(database: Database) -> None:
    kind = "NUMERIC(38, 10)" if database.is_postgres else "TEXT"
    number = "1234567890123456789012345678.0123456789"
    database.run(f"CREATE TABLE n (a {kind})", f"INSERT INTO n VALUES ('{number}')")
    with source(database, "bulk") as run:
        [record] = run.poll_until(1)
    assert str(record.value["a"]) == number


def test_a_time_without_a_zone_is_in_db_timezone(database: Database) -> None:
    database.run(
        "CREATE TABLE items (id INTEGER, at TIMESTAMP NOT NULL)", "INSERT INTO items VALUES (1, '2026-07-01 12:00:00')"
    )
    with source(database, "timestamp", db_timezone="Europe/Berlin") as run:
        [record] = run.poll_until(1)
        assert record.value["at"] == datetime.datetime(2026, 7, 1, 10, tzinfo=datetime.UTC)
        assert record.source_offset == {"timestamp": 1782900000000, "timestamp.nanos": 0}
        database.run("INSERT INTO items VALUES (2, '2026-07-01 12:00:01')")
        assert ids(run.poll_until(1)) == [2]


def test_a_column_that_is_added_or_dropped_changes_the_schema(items: Database) -> None:
    with source(items) as run:
        run.poll_until(3)
        items.run("ALTER TABLE items ADD COLUMN note TEXT", "INSERT INTO items VALUES (4, 'x', '2026-01-01', 'new')")
        [record] = run.poll_until(1)
        assert record.value["note"] == "new"
        items.run("ALTER TABLE items DROP COLUMN name", "INSERT INTO items VALUES (5, '2026-01-01', 'n')")
        [record] = run.poll_until(1)
        assert record.value_schema is not None
        assert [field.name for field in record.value_schema.fields] == ["id", "at", "note"]


def test_names_that_need_quotes_are_quoted(database: Database) -> None:
    database.run(
        'CREATE TABLE "Odd ""name%s"" $1" ("select" INTEGER NOT NULL)', 'INSERT INTO "Odd ""name%s"" $1" VALUES (1)'
    )
    with source(database, incrementing_column_name="select") as run:
        [record] = run.poll_until(1)
    assert record.topic == 't.Odd "name%s" $1'


def test_a_table_may_have_dots_and_commas_in_its_name(database: Database) -> None:
    database.run('CREATE TABLE "a.b,c" (id INTEGER NOT NULL)', 'INSERT INTO "a.b,c" VALUES (1)')
    with source(database) as run:
        assert [record.topic for record in run.poll_until(1)] == ["t.a.b,c"]


def test_an_offset_of_a_timestamp_mode_serves_an_incrementing_one(items: Database) -> None:
    offsets = MemoryOffsets()
    offsets.store({"protocol": "1", "table": "items"}, {"timestamp": 1767225602000, "timestamp.nanos": 0})
    with SourceTaskHarness(SqlSource, props_of(items), offsets=offsets) as run:
        assert ids(run.poll_until(3)) == [1, 2, 3]
    with SourceTaskHarness(SqlSource, props_of(items, "timestamp+incrementing"), offsets=offsets) as run:
        assert ids(run.poll_until(2)) == [2, 3]


def test_bare_names_are_folded_by_the_database(items: Database) -> None:
    with source(items, sql_quote_identifiers="false", incrementing_column_name="ID") as run:
        assert ids(run.poll_until(3)) == [1, 2, 3]


def test_tables_are_shared_among_tasks(database: Database) -> None:
    for name in ("a", "b", "c"):
        database.run(f"CREATE TABLE {name} (id INTEGER NOT NULL)")
    with source(database) as run:
        shares = [json.loads(config["tables"]) for config in run.connector.task_configs(2)]
        assert sorted(len(share) for share in shares) == [1, 2]
        assert len(run.connector.task_configs(9)) == 3


@pytest.mark.parametrize(
    ("settings", "topics"),
    [
        ({}, ["t.a", "t.b"]),
        ({"table_whitelist": "b"}, ["t.b"]),
        ({"table_blacklist": "b"}, ["t.a"]),
        ({"table_types": "VIEW"}, ["t.v"]),
        ({"table_types": "TABLE,VIEW", "table_blacklist": "a"}, ["t.b", "t.v"]),
    ],
)
def test_tables_are_chosen(database: Database, settings: dict[str, str], topics: list[str]) -> None:
    for name in ("a", "b"):
        database.run(f"CREATE TABLE {name} (id INTEGER NOT NULL)", f"INSERT INTO {name} VALUES (1)")
    database.run("CREATE VIEW v AS SELECT id FROM a")
    with source(database, "bulk", **settings) as run:
        assert sorted({record.topic for record in run.poll_until(len(topics))}) == topics


def test_a_new_table_asks_for_new_tasks(items: Database) -> None:
    with source(items, table_poll_interval_ms="20") as run:
        items.run("CREATE TABLE more (id INTEGER NOT NULL)")
        assert poll_until(lambda: run.connector_context.reconfigurations > 0, timeout=10)
        assert "more" in run.connector.task_configs(1)[0]["tables"]


@pytest.mark.parametrize("database", [SQLITE], indirect=True)
def test_a_source_that_is_paused_in_a_table_lets_others_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a write-ahead log a reader locks writers out. For PostgreSQL see test_postgres.py."""
    monkeypatch.setattr("kconnect_sql.open_round.IDLE_SECONDS", 0.2)
    database.run("PRAGMA journal_mode=DELETE", ITEMS)
    add(database, *range(1, 10))
    with source(database, batch_max_rows="2") as run:
        found = run.poll_until(4)
        add(database, 10)
        found += run.poll_until(6)
    assert ids(found) == list(range(1, 11))


@pytest.mark.parametrize("database", [SQLITE], indirect=True)
def test_reading_goes_on_after_the_database_was_away_for_a_while(items: Database) -> None:
    """For PostgreSQL see test_postgres.py."""
    with source(items) as run:
        run.poll_until(3)
        away = items.path.with_suffix(".away")
        run.task._disconnect()  # a file that is open stays readable under another name
        items.path.rename(away)
        with pytest.raises(RetriableError, match="cannot be opened"):
            run.poll()
        away.rename(items.path)
        add(items, 4)
        assert ids(run.poll_until(1)) == [4]


@pytest.mark.parametrize(
    ("columns", "settings", "complaint"),
    [
        ("id INTEGER", {}, "id may be null"),
        ("nr INTEGER NOT NULL", {}, "has no column id; it has nr"),
        ("id TEXT NOT NULL", {}, "holds 'a', which is not a whole number"),
        ("a TEXT", {"incrementing_column_name": ""}, "0 columns that count up"),
        ("at TEXT NOT NULL", {"mode": "timestamp", "timestamp_column_name": "at"}, "not a timestamp"),
        ("at TIMESTAMP", {"mode": "timestamp", "timestamp_column_name": "at"}, "at may be null"),
    ],
)
def test_a_table_that_cannot_be_read_so_is_refused(
    database: Database, columns: str, settings: dict[str, str], complaint: str
) -> None:
    database.run(f"CREATE TABLE items ({columns})")
    if "TEXT NOT NULL" in columns:
        database.run("INSERT INTO items VALUES ('a')")
    if database.is_postgres and "whole number" in complaint:
        complaint = "items"
    with pytest.raises(ConnectError, match=complaint), source(database, **settings) as run:
        run.poll()


def test_columns_that_may_be_null_are_read_when_that_is_accepted(database: Database) -> None:
    database.run("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1), (NULL)")
    with source(database, validate_non_null="false") as run:
        assert ids(run.poll_until(1)) == [1]
