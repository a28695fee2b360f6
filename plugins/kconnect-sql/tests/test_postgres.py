"""What only a real PostgreSQL shows: its types, its refusals, its end."""

from __future__ import annotations

import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from kconnect.errors import ConnectError, RetriableError
from kconnect.record import SourceRecord
from kconnect.schema import INT64_SCHEMA
from kconnect.schema_builder import SchemaBuilder
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_sql.sink import SqlSink
from kconnect_sql.source import SqlSource
from services.processes import poll_until
from services.sql import Database

pytestmark = pytest.mark.integration
ROW = SchemaBuilder.struct().field("id", INT64_SCHEMA).build()


def source_props(url: str, mode: str = "incrementing", **more: str) -> dict[str, str]:
    common = {"connection.url": url, "topic.prefix": "t.", "poll.interval.ms": "10", "mode": mode}
    fast = {"connection.attempts": "1", "incrementing.column.name": "id"}
    return common | fast | {name.replace("_", "."): value for name, value in more.items()}


def source(url: str, mode: str = "incrementing", **more: str) -> SourceTaskHarness:
    return SourceTaskHarness(SqlSource, source_props(url, mode, **more))


def sink(url: str, **more: str) -> SinkTaskHarness:
    props = {"connection.url": url, "connection.attempts": "1", "auto.create": "true", "retry.backoff.ms": "10"}
    return SinkTaskHarness(SqlSink, props | {name.replace("_", "."): value for name, value in more.items()})


def end_sessions(database: Database) -> None:
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'kconnect %'"
    )


def states(database: Database, application: str) -> list[str]:
    """What the sessions of `application` do."""
    rows = database.rows(
        f"SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{application}'"
    )
    return [state for (state,) in rows]


def test_types_without_a_schema_of_their_own_are_read_as_text(postgres: Database) -> None:
    one = uuid.uuid4()
    postgres.run(
        "CREATE TYPE mood AS ENUM ('good')",
        "CREATE DOMAIN nr AS NUMERIC(6, 1)",
        "CREATE TABLE t (u UUID, j JSONB, m MOOD, a INT[], i INTERVAL, n NR,"
        " tz TIMESTAMPTZ, s SMALLINT, f REAL, v NUMERIC)",
        f"INSERT INTO t VALUES ('{one}', '{{\"a\": 1}}', 'good', '{{1,2}}', '1 day',"
        " 7.5, '2026-01-01 12:00+02', 3, 0.5, 1.25)",
    )
    with source(postgres.url, "bulk") as run:
        [record] = run.poll_until(1)
    value = record.value
    assert value["u"] == str(one)
    assert value["j"] == '{"a": 1}'
    assert (value["m"], value["a"], value["i"]) == ("good", "{1,2}", "1 day")
    assert value["n"] == Decimal("7.5")
    assert value["tz"].isoformat() == "2026-01-01T10:00:00+00:00"
    assert (value["s"], value["f"]) == (3, 0.5)
    assert value["v"] == Decimal("1.25")


def test_a_timestamp_that_python_cannot_hold_is_an_error_that_names_the_table(postgres: Database) -> None:
    postgres.run("CREATE TABLE t (at TIMESTAMPTZ)", "INSERT INTO t VALUES ('infinity')")
    with source(postgres.url, "bulk") as run, pytest.raises(ConnectError, match='"t"'):
        run.poll()


def test_partitioned_tables_are_read_as_one(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE items (id INT NOT NULL) PARTITION BY RANGE (id)",
        "CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (100)",
        "INSERT INTO items VALUES (1)",
    )
    with source(postgres.url) as run:
        assert [record.topic for record in run.poll_until(1)] == ["t.items"]


def test_tables_of_one_name_in_two_schemas(postgres: Database) -> None:
    postgres.run("CREATE SCHEMA s", "CREATE TABLE s.t (id INT NOT NULL)", "CREATE TABLE t (id INT NOT NULL)")
    postgres.run("INSERT INTO s.t VALUES (1)", "INSERT INTO t VALUES (2)")
    with source(postgres.url, schema_pattern="s") as run:
        assert [record.value["id"] for record in run.poll_until(1)] == [1]
    with source(postgres.url, table_whitelist="public.t") as run:
        assert [record.value["id"] for record in run.poll_until(1)] == [2]
    with pytest.raises(ConnectError, match=r"t could be public\.t or s\.t"):
        source(postgres.url, table_whitelist="t").__enter__()


def test_a_jdbc_url_with_user_and_options(postgres: Database) -> None:
    parts = urlsplit(postgres.url)
    postgres.run("CREATE SCHEMA s", "CREATE TABLE s.t (id INT NOT NULL)", "INSERT INTO s.t VALUES (1)")
    url = (
        f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}?user=postgres&ApplicationName=me&currentSchema=s"
    )
    with source(url, query="SELECT * FROM t", topic_prefix="q") as run:
        assert [record.value["id"] for record in run.poll_until(1)] == [1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"connection_user": "nobody_here"}, 'role "nobody_here" does not exist'),
        ({"connection_url": "jdbc:postgresql://127.0.0.1:1/db"}, "after 1 tries .*cannot be reached"),
    ],
)
def test_a_login_that_fails_says_why_and_keeps_the_password(
    postgres: Database, change: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConnectError, match=complaint) as refused:
        source(postgres.url, connection_password="s3cret", **change).__enter__()
    assert "s3cret" not in str(refused.value)
    assert not isinstance(refused.value, RetriableError)


def test_a_query_that_gives_one_name_twice_is_refused(postgres: Database) -> None:
    with pytest.raises(ConnectError, match="the query gives two columns a: give one of them another name"):
        source(postgres.url, "bulk", query="SELECT 1 AS a, 2 AS a").__enter__()


def test_a_database_that_is_not_there_fails_at_once(postgres: Database) -> None:
    url = urlsplit(postgres.url)._replace(path="/nowhere").geturl()
    with pytest.raises(ConnectError, match='database "nowhere" does not exist'):
        source(url).__enter__()


def test_a_source_goes_on_after_its_session_was_ended(postgres: Database) -> None:
    postgres.run("CREATE TABLE items (id INT NOT NULL)", "INSERT INTO items SELECT generate_series(1, 1000)")
    with source(postgres.url, batch_max_rows="100") as run:
        found = run.poll_until(300)
        end_sessions(postgres)  # in the middle of a round
        found += run.poll_until(700)
    assert [record.value["id"] for record in found] == list(range(1, 1001))


def test_a_source_that_is_paused_in_a_table_holds_no_transaction_open(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause is that nobody polls."""
    monkeypatch.setattr("kconnect_sql.open_round.IDLE_SECONDS", 0.2)
    postgres.run("CREATE TABLE items (id INT NOT NULL)", "INSERT INTO items SELECT generate_series(1, 1000)")
    with source(postgres.url, batch_max_rows="100") as run:
        found = run.poll_until(300)
        assert poll_until(lambda: states(postgres, "kconnect source") == ["idle"], timeout=10)
        found += run.poll_until(700)
    assert [record.value["id"] for record in found] == list(range(1, 1001))


def test_a_sink_puts_again_after_its_session_was_ended(postgres: Database) -> None:
    with sink(postgres.url, insert_mode="upsert", pk_mode="record_value", pk_fields="id") as run:
        run.put([run.record({"id": 1}, ROW)])
        end_sessions(postgres)
        batch = [run.record({"id": number}, ROW) for number in (2, 3)]
        with pytest.raises(RetriableError):
            run.put(batch)
        run.put_until_done(batch)
        assert run.context.timeouts == [10]
    assert postgres.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,)]


@contextmanager
def frozen(database: Database, application: str) -> Iterator[None]:
    """Its backend is there, and says nothing."""
    [(pid,)] = database.rows(
        f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{application}'"
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def poll_into(found: list[SourceRecord], run: SourceTaskHarness) -> None:
    """Until it fails: what was fetched already is still given."""
    while True:
        found += run.poll()


def test_a_sink_gives_up_on_a_backend_that_does_not_answer(postgres: Database) -> None:
    url = f"{postgres.url}?socketTimeout=1"
    with sink(url, insert_mode="upsert", pk_mode="record_value", pk_fields="id") as run:
        run.put([run.record({"id": 1}, ROW)])
        batch = [run.record({"id": number}, ROW) for number in (2, 3)]
        with frozen(postgres, "kconnect sink"), pytest.raises(RetriableError, match="no answer for 1 s"):
            run.put(batch)
        run.put_until_done(batch)
    assert postgres.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,), (3,)]


def test_a_source_gives_up_on_a_backend_that_does_not_answer(postgres: Database) -> None:
    postgres.run("CREATE TABLE items (id INT NOT NULL)", "INSERT INTO items SELECT generate_series(1, 1000)")
    with source(f"{postgres.url}?socketTimeout=1", batch_max_rows="100") as run:
        found = run.poll_until(300)
        with frozen(postgres, "kconnect source"), pytest.raises(RetriableError, match="no answer for 1 s"):
            poll_into(found, run)
        found += run.poll_until(1000 - len(found))
    assert [record.value["id"] for record in found] == list(range(1, 1001))


def test_patience_is_a_number_of_seconds(postgres: Database) -> None:
    with pytest.raises(ConnectError, match="socketTimeout=soon: it must be a whole number of seconds"):
        source(f"{postgres.url}?socketTimeout=soon").__enter__()


class Gate:
    """Passes connections on to a server while it is open; closed, it refuses them and cuts those that there are."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accept(self._listener)

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accept(self._listener)

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection(self._server)
                    self._ends += [client, server]
                    for source, target in ((client, server), (server, client)):
                        threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def gate(postgres: Database) -> Iterator[Gate]:
    parts = urlsplit(postgres.url)
    gate = Gate(parts.hostname or "", parts.port or 0)
    yield gate
    gate.close()


def through(gate: Gate, database: Database) -> str:
    return f"jdbc:postgresql://127.0.0.1:{gate.port}{urlsplit(database.url).path}?user=postgres"


def test_a_source_waits_for_a_database_that_is_away_and_goes_on(postgres: Database, gate: Gate) -> None:
    postgres.run("CREATE TABLE items (id INT NOT NULL)", "INSERT INTO items SELECT generate_series(1, 1000)")
    with source(through(gate, postgres), batch_max_rows="100") as run:
        found = run.poll_until(300)
        gate.close()
        with suppress(RetriableError):
            while True:
                found += run.poll()  # what was fetched already
        with pytest.raises(RetriableError, match="cannot be reached"):
            run.poll()
        gate.open()
        found += run.poll_until(1000 - len(found))
    assert [record.value["id"] for record in found] == list(range(1, 1001))


def test_a_sink_waits_for_a_database_that_is_away(postgres: Database, gate: Gate) -> None:
    with sink(through(gate, postgres)) as run:
        run.put([run.record({"id": 1}, ROW)])
        gate.close()
        batch = [run.record({"id": 2}, ROW)]
        for _ in range(3):
            with pytest.raises(RetriableError):
                run.put(batch)
        gate.open()
        run.put_until_done(batch)
    assert postgres.rows("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]


def test_a_sink_gives_up_after_max_retries(postgres: Database) -> None:
    with sink(postgres.url, max_retries="1") as run:
        batch = [run.record({"id": 1}, ROW)]
        for error in (RetriableError, ConnectError):
            run.task._disconnect()
            run.task._url = replace(run.task._url, port=1)
            with pytest.raises(
                error, match="gave up after 1 retries" if error is ConnectError else "cannot be reached"
            ):
                run.put(batch)
