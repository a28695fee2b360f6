from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kconnect import ConnectError, DataError, Header, RetriableError, SchemaBuilder, SinkRecord, TopicPartition
from kconnect.schema import BYTES_SCHEMA, DATE_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, TIMESTAMP_SCHEMA, decimal_schema
from kconnect.testing.conformance import ReportingSinkConformance
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_http.sink import HttpSink
from services.http import HttpServer, Request, Response

ORDER = SchemaBuilder.struct().field("id", INT64_SCHEMA).field("name", STRING_SCHEMA).build()
QUICK = {"retry.backoff.ms": "1"}


def sink(url: str, *, reporting: bool = False, **more: str) -> SinkTaskHarness:
    props = {"name": "test", "http.url": url, **QUICK, **{name.replace("_", "."): v for name, v in more.items()}}
    return SinkTaskHarness(HttpSink, props, reporting=reporting)


def ids(server: HttpServer) -> list[int]:
    return [request.json["id"] for request in server.requests]


def order(run: SinkTaskHarness, number: int) -> SinkRecord:
    return run.record({"id": number, "name": "x"}, ORDER, key=number)


def refusing(bad: Callable[[Request], bool], status: int = 422, **headers: str) -> Callable[[Request], Response]:
    return lambda request: Response(status, b'{"error": "no such product"}', headers) if bad(request) else Response()


BATCHES = {
    "single": {},
    "array": {"batching.enabled": "true", "batch.json.as.array": "true", "batch.max.size": "2"},
    "lines": {"batching.enabled": "true"},
}


class TestHttpSink(ReportingSinkConformance):
    connector_class = HttpSink

    @pytest.fixture(params=BATCHES)
    def props(self, request: pytest.FixtureRequest, server: HttpServer) -> dict[str, str]:
        self.server = server
        server.answering = refusing(lambda request: b"bad" in request.body)
        return {"name": "test", "http.url": server.url, **QUICK, **BATCHES[request.param]}

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [order(run, n) for n in range(3)]

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        return run.record({"id": 7, "name": "bad"}, ORDER)

    def written(self, props: dict[str, str]) -> int:
        bodies = [request.body for request in self.server.requests if b"bad" not in request.body]
        return sum(body.count(b'"id"') for body in bodies)


def test_a_request_per_record_in_their_order(server: HttpServer) -> None:
    with sink(
        f"{server.url}/in?source=a", http_headers_additional="X-Source: kconnect, X-Place:${topic}-${offset}"
    ) as run:
        run.put([order(run, n) for n in range(5)])
    assert ids(server) == list(range(5))
    first = server.requests[0]
    assert (first.method, first.path, first.query) == ("POST", "/in", {"source": "a"})
    assert first.headers["content-type"] == "application/json"
    assert (first.headers["x-source"], first.headers["x-place"]) == ("kconnect", "orders-0")


@pytest.mark.parametrize(
    ("schema", "value", "body"),
    [
        (STRING_SCHEMA, "text: é", "text: é".encode()),
        (BYTES_SCHEMA, b"\x00\xff", b"\x00\xff"),
        (None, {"a": [1, None, {"b": True}]}, b'{"a":[1,null,{"b":true}]}'),
        (None, 7, b"7"),
        (ORDER, {"id": 1, "name": "x"}, b'{"id":1,"name":"x"}'),
        (
            SchemaBuilder.struct().field("at", TIMESTAMP_SCHEMA).field("day", DATE_SCHEMA).build(),
            {"at": datetime(2026, 1, 2, tzinfo=UTC), "day": date(1970, 1, 3)},
            b'{"at":1767312000000,"day":2}',
        ),
        (
            SchemaBuilder.array(SchemaBuilder.struct().field("price", decimal_schema(2)).build()).build(),
            [{"price": Decimal("1.50")}],
            b'[{"price":"AJY="}]',
        ),
    ],
)
def test_bodies_are_text_bytes_or_json_as_json_converter_writes_it(
    server: HttpServer, schema: Any, value: Any, body: bytes
) -> None:
    with sink(server.url) as run:
        run.put([run.record(value, schema)])
    assert server.requests[0].body == body


def test_decimals_may_be_numbers(server: HttpServer) -> None:
    schema = SchemaBuilder.struct().field("price", decimal_schema(2)).build()
    with sink(server.url, decimal_format="numeric") as run:
        run.put([run.record({"price": Decimal("1.50")}, schema)])
    assert server.requests[0].body == b'{"price":1.50}'


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({}, b"0\n1\n2\n"),
        ({"batch_prefix": "<", "batch_separator": "\\t", "batch_suffix": ">\\\\"}, b"<0\t1\t2>\\"),
        ({"batch_json_as_array": "true"}, b"[0,1,2]"),
    ],
)
def test_records_are_joined_to_one_body(server: HttpServer, more: dict[str, str], body: bytes) -> None:
    with sink(server.url, batching_enabled="true", **more) as run:
        run.put([run.record(n) for n in range(3)])
    assert [request.body for request in server.requests] == [body]


def test_a_batch_ends_at_its_size_its_bytes_and_where_another_url_begins(server: HttpServer) -> None:
    array = {"batching_enabled": "true", "batch_json_as_array": "true"}
    with sink(server.url + "/${value.to}", **array, batch_max_size="3", batch_max_bytes="70") as run:
        run.put([run.record({"to": to, "n": n}) for n, to in enumerate("aaaabba")])
        run.put([run.record({"to": "a", "n": "x" * size}) for size in (5, 100, 5)])
    found = [(request.path[1:], [each["n"] for each in request.json]) for request in server.requests]
    assert found[:4] == [("a", [0, 1, 2]), ("a", [3]), ("b", [4, 5]), ("a", [6])]
    assert [len(numbers) for _, numbers in found[4:]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/${topic}/${key}", "/orders/a%2Fb%20%3F%23c"),
        ("/${value.customer.id}/${header.trace}", "/7/t-1"),
        ("/${customer.id}", "/7"),
        ("/at/${partition}/${offset}", "/at/0/0"),
    ],
)
def test_a_url_has_parts_of_the_record_in_it(server: HttpServer, template: str, path: str) -> None:
    with sink(server.url + template) as run:
        record = run.record({"customer": {"id": 7}}, key="a/b ?#c")
        record.headers = (Header("trace", None, "t-1"),)
        run.put([record])
    assert server.requests[0].path == path


@pytest.mark.parametrize("key", ["..", ".", "", None, {"a": 1}])
def test_a_record_cannot_make_another_url_of_it(server: HttpServer, key: Any) -> None:
    with sink(server.url + "/orders/${key}") as run, pytest.raises(DataError, match="orders-0@0"):
        run.put([run.record("x", key=key)])
    assert server.requests == []


def test_a_header_takes_no_line_breaks_from_records(server: HttpServer) -> None:
    with (
        sink(server.url, http_headers_additional="X-Key:${key}") as run,
        pytest.raises(DataError, match=r"X-Key|header"),
    ):
        run.put([run.record("x", key="a\r\nX-Admin: 1")])
    assert server.requests == []


@pytest.mark.parametrize(("policy", "methods"), [("delete", ["POST", "DELETE", "POST"]), ("ignore", ["POST", "POST"])])
def test_tombstones_delete_or_are_passed_over(server: HttpServer, policy: str, methods: list[str]) -> None:
    more = {"behavior_on_null_values": policy, "batching_enabled": "true"}
    with sink(server.url + "/${key}", **more) as run:
        run.put([run.record(value, key=key) for key, value in [("a", "1"), ("a", None), ("b", "2")]])
    assert [request.method for request in server.requests] == methods
    assert [request.path for request in server.requests if request.method == "DELETE"] == ["/a"] * (len(methods) - 2)


def test_a_tombstone_is_refused_where_nothing_is_said(server: HttpServer) -> None:
    with sink(server.url) as run, pytest.raises(DataError, match=r"orders-0@0: .*behavior\.on\.null\.values"):
        run.put([run.record(None, key="a")])


def test_a_server_that_is_away_is_tried_again_and_nothing_is_sent_twice(server: HttpServer) -> None:
    fails = iter([False, False, True, True, False])
    server.answering = refusing(lambda request: next(fails, False), 503)
    with sink(server.url, max_retries="5") as run:
        records = [order(run, n) for n in range(5)]
        assert run.put_until_done(records) == 3
        run.put([order(run, 5)])
    assert ids(server) == [0, 1, 2, 2, 2, 3, 4, 5]


def test_a_server_that_stopped_and_came_back_gets_the_rest(server: HttpServer) -> None:
    with sink(server.url, max_retries="-1") as run:
        run.put([order(run, 0)])
        server.stop()
        records = [order(run, n) for n in range(1, 4)]
        with pytest.raises(RetriableError, match=f"{server.url} does not answer"):
            run.put(records)
        server.start()
        run.put_until_done(records)
    assert ids(server) == [0, 1, 2, 3]


def test_tries_come_to_an_end_that_names_the_answer(server: HttpServer) -> None:
    server.answering = refusing(lambda request: True, 500)
    with sink(server.url, max_retries="2") as run, pytest.raises(ConnectError, match=r"500: .*tried 3 times") as failed:
        run.put_until_done([order(run, 0)])
    assert not isinstance(failed.value, (RetriableError, DataError))
    assert len(server.requests) == 3


def test_tries_may_begin_anew_for_ever(server: HttpServer) -> None:
    server.answering = lambda request: Response(503 if len(server.requests) < 8 else 200)
    with sink(server.url, max_retries="1", kafka_retry_backoff_ms="5") as run:
        assert run.put_until_done([order(run, 0)]) == 8
        assert 5 in run.context.timeouts


@pytest.mark.parametrize(
    ("text", "least", "most"), [("3", 3000, 3000), ("Fri, 01 Jan 2100 00:00:00 GMT", 300_000, 300_000)]
)
def test_a_server_that_wants_less_says_when_it_goes_on(server: HttpServer, text: str, least: int, most: int) -> None:
    """And is given the time, which is no failure."""
    server.answering = lambda request: Response(429 if len(server.requests) < 4 else 200, b"", {"Retry-After": text})
    with sink(server.url, max_retries="0") as run:
        assert run.put_until_done([order(run, 0)]) == 4
        assert all(least <= timeout <= most for timeout in run.context.timeouts)
        assert len(run.context.timeouts) == 3


def test_a_rate_is_kept(server: HttpServer) -> None:
    with sink(server.url, http_rate_limit="0.01") as run:
        run.put([order(run, 0)])
        with pytest.raises(RetriableError, match="rate limit"):
            run.put([order(run, 1)])
        [timeout] = run.context.timeouts
        assert 90_000 < timeout <= 100_000
    assert ids(server) == [0]


def test_records_that_are_refused_are_reported_with_the_answer_and_no_secret(server: HttpServer) -> None:
    body = b'{"error": "no such product, token tops3cret"}' + b"x" * 5000
    url = server.url + "/in?api_key=als0-secret"
    server.answering = lambda request: Response(422 if request.json["id"] == 1 else 200, body)
    login = {"http_authorization_type": "static", "http_headers_authorization": "tops3cret"}
    with sink(url, reporting=True, **login) as run:
        records = [order(run, n) for n in range(3)]
        run.put(records)
        [(record, error)] = run.context.reports
    assert record is records[1]
    assert "orders-0@1" in str(error)
    assert "422" in str(error)
    assert "no such product" in str(error)
    assert "tops3cret" not in str(error)
    assert "als0-secret" not in str(error)
    assert len(str(error)) < 700


def test_the_one_bad_record_of_a_batch_is_found(server: HttpServer) -> None:
    server.answering = refusing(lambda request: any(each["id"] == 5 for each in request.json))
    array = {"batching_enabled": "true", "batch_json_as_array": "true"}
    with sink(server.url, reporting=True, **array) as run:
        run.put([order(run, n) for n in range(8)])
        assert [record.key for record, _ in run.context.reports] == [5]
    accepted = [
        each["id"] for request in server.requests for each in request.json if 5 not in [e["id"] for e in request.json]
    ]
    assert sorted(accepted) == [0, 1, 2, 3, 4, 6, 7]


def test_a_batch_that_is_refused_names_its_records_where_nobody_wants_reports(server: HttpServer) -> None:
    server.answering = refusing(lambda request: True)
    array = {"batching_enabled": "true", "batch_json_as_array": "true"}
    with sink(server.url, **array) as run, pytest.raises(DataError, match="orders-0@0 to orders-0@3, in one request"):
        run.put([order(run, n) for n in range(4)])


def test_a_batch_that_is_too_large_is_sent_in_parts_and_a_record_that_is_is_reported(server: HttpServer) -> None:
    server.answering = refusing(lambda request: len(request.body) > 100, 413)
    array = {"batching_enabled": "true", "batch_json_as_array": "true"}
    with sink(server.url, reporting=True, **array) as run:
        run.put([run.record({"id": n, "name": "x" * (200 if n == 3 else 10)}) for n in range(8)])
        assert [record.offset for record, _ in run.context.reports] == [3]
    assert [each["id"] for r in server.requests if len(r.body) <= 100 for each in r.json] == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_stops_working_fails_the_task_and_no_record_is_reported(server: HttpServer, status: int) -> None:
    server.answering = lambda request: Response(200 if len(server.requests) < 3 else status)
    with (
        sink(server.url, reporting=True) as run,
        pytest.raises(ConnectError, match=f"{status}.*Check the login") as failed,
    ):
        run.put([order(run, n) for n in range(5)])
    assert not isinstance(failed.value, (RetriableError, DataError))
    assert run.context.reports == []


@pytest.mark.parametrize(("path", "error"), [("/in", ConnectError), ("/in/${key}", DataError)])
def test_a_url_that_is_not_there_is_a_fault_of_the_config_unless_the_record_made_it(
    server: HttpServer, path: str, error: type[Exception]
) -> None:
    server.answering = lambda request: Response(404)
    with sink(server.url + path) as run, pytest.raises(ConnectError, match="404") as failed:
        run.put([order(run, 1)])
    assert isinstance(failed.value, DataError) is (error is DataError)


def test_a_partition_that_goes_and_comes_back_is_sent_anew(server: HttpServer) -> None:
    server.answering = lambda request: Response(503 if len(server.requests) == 2 else 200)
    with sink(server.url, max_retries="9") as run:
        records = [order(run, n) for n in range(3)]
        with pytest.raises(RetriableError):
            run.put(records)
        run.task.close([TopicPartition("orders", 0)])
        run.task.open([TopicPartition("orders", 0)])
        run.put(records)
    assert ids(server) == [0, 1, 0, 1, 2]


def test_the_json_that_is_sent_is_what_a_reader_gets(server: HttpServer) -> None:
    value = {"text": 'é \u2028 "quoted"', "n": 2**60, "f": 1.5, "none": None, "list": [[]]}
    with sink(server.url) as run:
        run.put([run.record(value)])
    assert json.loads(server.requests[0].body) == value
