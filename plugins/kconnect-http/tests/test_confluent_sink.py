from __future__ import annotations

from collections.abc import Sequence

import pytest

from kconnect import ConnectError, DataError, SinkRecord
from kconnect.testing.conformance import ReportingSinkConformance, validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_http.sink import ConfluentHttpSink
from services.http import HttpServer, Response


def sink(server: HttpServer, *, reporting: bool = False, **more: str) -> SinkTaskHarness:
    given = {name.replace("_", "."): value for name, value in more.items()}
    props = {"http.api.url": server.url, "retry.backoff.ms": "1", "retry.backoff.policy": "CONSTANT_VALUE", **given}
    return SinkTaskHarness(ConfluentHttpSink, props, reporting=reporting)


class TestConfluentHttpSink(ReportingSinkConformance):
    connector_class = ConfluentHttpSink

    @pytest.fixture
    def props(self, server: HttpServer) -> dict[str, str]:
        self.server = server
        server.answering = lambda request: Response(422 if b"bad" in request.body else 200)
        return {"http.api.url": server.url, "max.retries": "0"}

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [run.record(f"r{n}", key=f"k{n}") for n in range(3)]

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        return run.record("bad")

    def written(self, props: dict[str, str]) -> int:
        return len([request for request in self.server.requests if b"bad" not in request.body])


def test_a_config_of_confluents_goes_on_as_it_is(server: HttpServer) -> None:
    more = {
        "request_method": "put",
        "headers": "X-A:1|X-B: b c",
        "batch_max_size": "10",
        "batch_prefix": "<",
        "batch_suffix": ">",
        "batch_separator": ";",
        "batch_key_pattern": "${topic}-${order.shop}",
        "confluent_topic_bootstrap_servers": "kafka:9092",
        "confluent_license": "",
    }
    with sink(server, **more) as run:
        run.put([run.record({"order": {"shop": shop}}, key=n) for n, shop in enumerate("aab")])
    first, second = server.requests
    assert (first.method, first.headers["x-a"], first.headers["x-b"]) == ("PUT", "1", "b c")
    assert first.body == b'<{"order":{"shop":"a"}};{"order":{"shop":"a"}}>'
    assert second.body == b'<{"order":{"shop":"b"}}>'


def test_a_url_has_the_key_the_topic_and_fields_in_it(server: HttpServer) -> None:
    with sink(server, http_api_url=server.url + "/${topic}/${key}/${order.id}") as run:
        run.put([run.record({"order": {"id": 7}}, key="k/1")])
    assert server.requests[0].path == "/orders/k%2F1/7"


@pytest.mark.parametrize(
    ("more", "body"),
    [
        ({}, b"x"),
        ({"request_body_format": "json"}, b'"x"'),
        ({"request_body_format": "json", "batch_json_as_array": "true"}, b'["x"]'),
        ({"batch_prefix": "<", "batch_suffix": ">"}, b"<x>"),
    ],
)
def test_bodies_of_single_records(server: HttpServer, more: dict[str, str], body: bytes) -> None:
    with sink(server, **more) as run:
        run.put([run.record("x")])
    assert server.requests[0].body == body


def test_expressions_change_the_body(server: HttpServer) -> None:
    with sink(server, regex_patterns=r"^\{~(\d+)", regex_replacements='{"key":"${key}",~<$1>') as run:
        run.put([run.record({"n": 12}, key="a$x\\b")])
    assert server.requests[0].body == b'{"key":"a$x\\b","n":<12>}'


@pytest.mark.parametrize(("policy", "methods"), [("", ["POST"]), ("ignore", ["POST"]), ("DELETE", ["DELETE", "POST"])])
def test_tombstones(server: HttpServer, policy: str, methods: list[str]) -> None:
    with sink(server, behavior_on_null_values=policy or "ignore") as run:
        run.put([run.record(None, key="a"), run.record("x")])
    assert [request.method for request in server.requests] == methods


def test_every_failure_is_tried_again_and_a_record_that_is_refused_in_the_end_is_reported(server: HttpServer) -> None:
    server.answering = lambda request: Response(400 if request.body == b"1" else 200)
    with sink(server, reporting=True, max_retries="2") as run:
        run.put_until_done([run.record(str(n)) for n in range(3)])
        assert [record.value for record, _ in run.context.reports] == ["1"]
    assert [request.body for request in server.requests] == [b"0", b"1", b"1", b"1", b"2"]


@pytest.mark.parametrize("status", [400, 500])
def test_what_cannot_be_sent_may_be_passed_over(
    server: HttpServer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.answering = lambda request: Response(status if request.body == b"1" else 200)
    with sink(server, behavior_on_error="ignore", max_retries="0") as run:
        run.put([run.record(str(n)) for n in range(3)])
    assert [request.body for request in server.requests] == [b"0", b"1", b"2"]
    assert "orders-0@1" in caplog.text


@pytest.mark.parametrize(("status", "error"), [(400, DataError), (500, ConnectError)])
def test_what_cannot_be_sent_fails_the_task_otherwise(server: HttpServer, status: int, error: type[Exception]) -> None:
    server.answering = lambda request: Response(status)
    with (
        sink(server, max_retries="1", http_api_url=server.url + "/${key}") as run,
        pytest.raises(error, match=str(status)),
    ):
        run.put_until_done([run.record("x", key="k")])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reporter.error.topic.name", "errors"),
        ("reporter.result.topic.name", "results"),
        ("http.proxy.host", "proxy"),
        ("oauth2.jwt.enabled", "true"),
        ("https.host.verifier.enabled", "false"),
        ("retry.on.status.codes", "4xx"),
        ("http.api.url", "http://${topic}.example.com/"),
        ("http.api.url", "http://user:pass@example.com/"),
        ("http.api.url", "ftp://example.com/"),
        ("http.api.url", "http://example.com/${}"),
        ("headers", "Content-Length:5"),
        ("headers", "X-A"),
        ("regex.replacements", "a~b"),
        ("oauth2.client.secret", ""),
    ],
)
def test_what_is_not_covered_or_no_good_is_refused_by_name(server: HttpServer, key: str, value: str) -> None:
    props = {"http.api.url": server.url, "regex.patterns": "a", "regex.replacements": "b"}
    if key == "oauth2.client.secret":
        props |= {"auth.type": "OAUTH2", "oauth2.token.url": server.url, "oauth2.client.id": "me"}
    assert list(validation_errors(ConfluentHttpSink, props | {key: value})) == [key]
