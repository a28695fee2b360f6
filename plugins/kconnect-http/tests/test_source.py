from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from kconnect import ConnectError, RetriableError
from kconnect.bounds import Bounds, set_bounds
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_http.source import CastormHttpSource, HttpSource
from services.http import HttpServer, Request, Response, running_http_server

POINTERS = "http.response.record.offset.pointer"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = {"http.timer.interval.millis": "1", "http.timer.catchup.interval.millis": "1", "kafka.topic": "orders"}


def order(number: int, **more: object) -> dict[str, Any]:
    at = (BEGIN + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")
    return {"id": number, "at": at, **more}


class Orders:
    """An API of orders, with every kind of paging there is."""

    def __init__(self, server: HttpServer, count: int = 0) -> None:
        self.server = server
        self.items = [order(n) for n in range(count)]
        self.size = 2
        server.answering = self.answer

    def answer(self, request: Request) -> Response:
        query = request.query
        items = [
            item
            for item in self.items
            if item["at"] >= query.get("since", "") and item["id"] > int(query.get("after", -1))
        ]
        if query.get("order") == "desc":
            items = items[::-1]
        size = int(query.get("size", self.size))
        if request.path == "/all":
            return Response(200, items)
        if request.path == "/pages":
            begin = (int(query.get("page", 1)) - 1) * size
        elif request.path == "/offsets":
            begin = int(query.get("offset", 0))
        else:
            begin = int(query.get("cursor", "c0").removeprefix("c"))
        page = {"data": {"orders": items[begin : begin + size]}, "paging": {"next": None, "cursor": None}}
        headers = {}
        if begin + size < len(items):
            kept = {name: value for name, value in query.items() if name != "cursor"}
            target = f"{request.path}?{urlencode({**kept, 'cursor': f'c{begin + size}'})}"
            page["paging"] = {"next": target, "cursor": f"c{begin + size}"}
            headers = {"Link": f'</elsewhere>; rel="prev", <{target}>; title="a, b"; rel="next last"'}
        return Response(200, page, headers)


@pytest.fixture
def orders(server: HttpServer) -> Orders:
    return Orders(server, 5)


PAGING = {
    "none": {"http.response.list.pointer": "/", "path": "/all"},
    "link": {"http.paging": "link", "path": "/tokens"},
    "next": {"http.paging": "next", "http.paging.pointer": "/paging/next", "path": "/tokens"},
    "cursor": {"http.paging": "cursor", "http.paging.pointer": "/paging/cursor", "path": "/tokens"},
    "page": {"http.paging": "page", "http.paging.size": "2", "path": "/pages"},
    "offset": {"http.paging": "offset", "path": "/offsets"},
}


def props(orders: Orders, paging: str = "none", **more: str) -> dict[str, str]:
    """Of orders since the newest one."""
    given = {"http.response.list.pointer": "/data/orders", **PAGING[paging]}
    return {
        **QUICK,
        "http.request.url": orders.server.url + given.pop("path"),
        "http.request.params": "since=${offset.timestamp}",
        POINTERS: "key=/id, timestamp=/at",
        **given,
        **{name.replace("_", "."): value for name, value in more.items()},
    }


class TestHttpSource(SourceConformance):
    connector_class = HttpSource
    record_count = 5

    @pytest.fixture(params=PAGING)
    def props(self, request: pytest.FixtureRequest, server: HttpServer) -> dict[str, str]:
        orders = Orders(server, 8)
        orders.size = 5  # what is read again is a whole page
        more = {"http_paging_size": "5"} if request.param == "page" else {}
        return props(orders, request.param, **more)


class TestCastormHttpSource(SourceConformance):
    connector_class = CastormHttpSource

    @pytest.fixture
    def props(self, orders: Orders) -> dict[str, str]:
        return props(orders)


def read(run: SourceTaskHarness, count: int) -> list[int]:
    return [record.value["id"] for record in run.poll_until(count)]


def quiet(run: SourceTaskHarness, server: HttpServer, requests: int = 4) -> list[int]:
    """What comes while so many requests are made."""
    before, found = len(server.requests), []
    while len(server.requests) < before + requests:
        found += [record.value["id"] for record in run.poll()]
    return found


@pytest.mark.parametrize("paging", PAGING)
def test_pages_are_read_to_the_last_and_then_what_is_new(orders: Orders, paging: str) -> None:
    with SourceTaskHarness(HttpSource, props(orders, paging)) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
        assert quiet(run, orders.server) == []
        orders.items += [order(5), order(6), order(7)]
        assert read(run, 3) == [5, 6, 7]
        assert quiet(run, orders.server) == []


@pytest.mark.parametrize("paging", PAGING)
@pytest.mark.parametrize("cut", range(1, 5))
def test_a_task_goes_on_behind_any_record_that_was_stored(orders: Orders, paging: str, cut: int) -> None:
    with SourceTaskHarness(HttpSource, props(orders, paging)) as run:
        records = run.poll_until(5)[:cut]
    for record in records:
        run.offsets.store(record.source_partition or {}, record.source_offset)
    orders.items.append(order(5))
    with SourceTaskHarness(HttpSource, props(orders, paging), offsets=run.offsets) as again:
        found: list[int] = []
        while 5 not in found:
            found += [record.value["id"] for record in again.poll()]
    assert {*found, *range(cut)} == set(range(6))
    if paging in ("link", "next", "cursor"):
        assert min(found) >= cut - 1, "pages that were read to their end are not read again"


def test_records_of_one_instant_come_once_and_changed_ones_again(orders: Orders) -> None:
    orders.items = [order(0) | {"id": n} for n in range(3)]
    with SourceTaskHarness(HttpSource, props(orders)) as run:
        assert read(run, 3) == [0, 1, 2]
        run.commit()
        orders.items[1]["state"] = "paid"
        orders.items.append(order(0) | {"id": 3})
        assert read(run, 2) == [1, 3]
        run.commit()
    with SourceTaskHarness(HttpSource, props(orders), offsets=run.offsets) as again:
        orders.items.append(order(1))
        assert read(again, 1) == [1]


@pytest.mark.parametrize("paging", ["none", "link", "page"])
@pytest.mark.parametrize("direction", ["DESC", "IMPLICIT"])
def test_newest_first(orders: Orders, paging: str, direction: str) -> None:
    given = props(orders, paging, http_response_list_order_direction=direction)
    given["http.request.params"] = "order=desc"
    with SourceTaskHarness(HttpSource, given) as run:
        assert sorted(read(run, 5)) == [0, 1, 2, 3, 4]
        assert quiet(run, orders.server) == []
        orders.items += [order(5), order(6), order(7)]
        assert sorted(read(run, 3)) == [5, 6, 7]
        assert quiet(run, orders.server, 8) == []


def test_ids_are_cursors_too(orders: Orders) -> None:
    given = props(orders, http_request_params="after=${offset.last}", http_offset_initial="last=1")
    given[POINTERS] = "last=/id"
    with SourceTaskHarness(HttpSource, given) as run:
        assert read(run, 3) == [2, 3, 4]
        assert quiet(run, orders.server) == []
        orders.items.append(order(9))
        assert read(run, 1) == [9]
        assert orders.server.requests[-1].query["after"] in ("4", "9")


def test_without_a_cursor_all_that_there_is_comes_in_every_round(orders: Orders) -> None:
    given = props(orders, "page")
    del given[POINTERS]
    with SourceTaskHarness(HttpSource, given) as run:
        assert read(run, 10)[:10] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("format", "value"),
    [
        ("json", {"id": 0, "at": "2026-01-01T00:00:00Z"}),
        ("string", '{"id":0,"at":"2026-01-01T00:00:00Z"}'),
        (
            "envelope",
            {"value": '{"id":0,"at":"2026-01-01T00:00:00Z"}', "key": "0", "timestamp": 1767225600000},
        ),
    ],
)
def test_forms_of_records(orders: Orders, format: str, value: object) -> None:
    with SourceTaskHarness(HttpSource, props(orders, http_record_format=format)) as run:
        record = run.poll_until(1)[0]
    assert record.value == value
    assert record.key == ({"key": "0"} if format == "envelope" else "0")
    assert (record.topic, record.timestamp) == ("orders", 1767225600000)


def test_castorms_connector_writes_its_envelope_and_offsets(orders: Orders) -> None:
    """Of a config for it, which has the classes in it that it has by default."""
    castorm = "com.github.castorm.kafka.connect"
    given = props(orders) | {
        "http.timer": f"{castorm}.timer.FixedIntervalTimer",
        "http.request.params": "since=${offset.timestamp?datetime.iso?long}",
        "http.offset.initial": "timestamp=2020-01-01T00:00:00Z",
        "http.record.filter.factory": f"{castorm}.http.record.OffsetRecordFilterFactory",
    }
    orders.items = orders.items[:1]
    assert validation_errors(CastormHttpSource, given) == {}
    with SourceTaskHarness(CastormHttpSource, given) as run:
        [record] = run.poll_until(1)
        assert orders.server.requests[0].query == {"since": "1577836800000"}
    assert set(record.value) == {"value", "key", "timestamp"}
    assert (record.source_partition, record.source_offset) == (
        {},
        {"key": "0", "timestamp": "2026-01-01T00:00:00Z", "http.seen": record.source_offset["http.seen"]},  # type: ignore[index] # it has one
    )
    offsets = MemoryOffsets()
    offsets.store({}, {"key": "0", "timestamp": "2026-01-01T00:00:00Z"})
    orders.items.append(order(1))
    with SourceTaskHarness(CastormHttpSource, given, offsets=offsets) as again:
        assert [json.loads(record.value["value"])["id"] for record in again.poll_until(2)][-1] == 1


def test_a_request_has_the_offset_in_all_its_parts(server: HttpServer) -> None:
    server.answering = lambda request: Response(200, {"item": {"id": 'a"/b'}})
    given = {
        **QUICK,
        "http.request.url": server.url + "/shops/${offset.shop}/in",
        "http.request.method": "POST",
        "http.request.params": "fixed=1 & from=${offset.id} & to=${offset.missing}",
        "http.request.headers": "X-From: ${id}, X-Fixed: yes",
        "http.request.body": '{"from": "${offset.id}"}',
        "http.offset.initial": "shop=a/b, id=x\u00e9&y",
        "http.response.list.pointer": "/item",
        POINTERS: "id=/id",
    }
    with SourceTaskHarness(HttpSource, given) as run:
        run.poll_until(1)
        while len(server.requests) < 2:
            run.poll()
    first, second = server.requests[:2]
    assert (first.method, first.path) == ("POST", "/shops/a%2Fb/in")
    assert first.query == {"fixed": "1", "from": "x\u00e9&y"}
    assert (first.headers["x-from"], first.headers["x-fixed"]) == ("x\u00e9", "yes") or first.headers["x-from"]
    assert first.json == {"from": "x\u00e9&y"}
    assert second.json == {"from": 'a"/b'}


def test_an_answer_that_has_not_changed_is_not_read_again(orders: Orders) -> None:
    def answer(request: Request) -> Response:
        body = orders.answer(request)
        tag = f'"{len(orders.items)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(304)
        return Response(200, body.body, {"ETag": tag})

    given = props(orders)
    del given["http.request.params"], given[POINTERS]
    orders.server.answering = answer
    with SourceTaskHarness(HttpSource, given) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
        assert quiet(run, orders.server) == []
        run.commit()
    with SourceTaskHarness(HttpSource, given, offsets=run.offsets) as again:
        assert quiet(again, orders.server) == []
        orders.items.append(order(5))
        assert read(again, 6) == [0, 1, 2, 3, 4, 5]


def test_compressed_answers(orders: Orders) -> None:
    plain = orders.answer
    orders.server.answering = lambda request: Response(
        200, gzip.compress(json.dumps(plain(request).body).encode()), {"Content-Encoding": "gzip"}
    )
    with SourceTaskHarness(HttpSource, props(orders)) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
    assert orders.server.requests[0].headers["accept-encoding"] == "gzip"


LOGINS = {
    "Basic": ({"http.auth.user": "me", "http.auth.password": "s3cret"}, "authorization", "Basic bWU6czNjcmV0"),
    "Bearer": ({"http.auth.token": "t0ken"}, "authorization", "Bearer t0ken"),
    "ApiKey": ({"http.auth.apikey": "k3y"}, "x-api-key", "k3y"),
}


@pytest.mark.parametrize("kind", LOGINS)
def test_logins(orders: Orders, kind: str) -> None:
    given, header, value = LOGINS[kind]
    with SourceTaskHarness(HttpSource, props(orders) | {"http.auth.type": kind, **given}) as run:
        run.poll_until(5)
    assert orders.server.requests[0].headers[header] == value


def test_a_token_of_oauth_that_expires_under_way_is_fetched_anew(orders: Orders) -> None:
    issued: list[str] = []

    def answer(request: Request) -> Response:
        if request.path == "/token":
            issued.append(f"token-{len(issued)}")
            return Response(200, {"access_token": issued[-1], "expires_in": 3600})
        if request.headers["authorization"] != f"Bearer {issued[-1]}" or len(orders.server.requests) == 4:
            return Response(401)
        return orders.answer(request)

    orders.server.answering = answer
    given = props(orders, "link") | {
        "http.auth.type": "OAuth2",
        "oauth2.access.token.url": orders.server.url + "/token",
        "oauth2.client.id": "me",
        "oauth2.client.secret": "s3cret",
    }
    with SourceTaskHarness(HttpSource, given) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
    assert len(issued) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_login_that_stops_working_fails_the_task(orders: Orders, status: int) -> None:
    orders.server.answering = lambda request: (
        Response(status, b"no, t0psecret") if len(orders.server.requests) == 2 else orders.answer(request)
    )
    given = props(orders, "link") | {"http.auth.type": "Bearer", "http.auth.token": "t0psecret"}
    with (
        SourceTaskHarness(HttpSource, given) as run,
        pytest.raises(ConnectError, match=rf"{status}: no, \[hidden\].*Check the login") as failed,
    ):
        run.poll_until(5)
    assert not isinstance(failed.value, RetriableError)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again_and_nothing_is_left_out(orders: Orders, status: int) -> None:
    orders.server.answering = lambda request: (
        Response(status) if len(orders.server.requests) % 2 else orders.answer(request)
    )
    with SourceTaskHarness(HttpSource, props(orders, "link")) as run:
        with pytest.raises(RetriableError, match=str(status)):
            run.poll()
        assert read(run, 5) == [0, 1, 2, 3, 4]


def test_a_server_that_wants_to_be_left_alone_is(orders: Orders) -> None:
    orders.server.answering = lambda request: Response(429, b"", {"Retry-After": "1000"})
    with SourceTaskHarness(HttpSource, props(orders)) as run:
        assert run.poll() == []
        assert [run.poll(), run.poll()] == [[], []]
    assert len(orders.server.requests) == 1


def test_a_server_that_went_away_and_came_back(orders: Orders) -> None:
    with SourceTaskHarness(HttpSource, props(orders)) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
        orders.server.stop()
        with pytest.raises(RetriableError, match="does not answer"):
            quiet(run, orders.server)
        orders.items.append(order(5))
        orders.server.start()
        assert read(run, 1) == [5]


def test_a_page_that_is_no_json_is_asked_for_again_before_the_task_fails(orders: Orders) -> None:
    broken = b'{"data": {"orders": [{"id": 1'
    orders.server.answering = lambda request: (
        Response(200, broken) if len(orders.server.requests) in (2, 3) else orders.answer(request)
    )
    with SourceTaskHarness(HttpSource, props(orders, "link")) as run:
        assert read(run, 5) == [0, 1, 2, 3, 4]
        orders.server.answering = lambda request: Response(200, broken)
        with pytest.raises(ConnectError, match=r"answers with no JSON: .*truncated") as failed:
            run.poll_until(1)
    assert not isinstance(failed.value, RetriableError)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Response(404), r"answers 404.*Check http\.request\.url"),
        (Response(200, {"other": []}), r"answers without /data/orders"),
        (Response(200, {"data": {"orders": "x"}}), "/data/orders is no array of records but str"),
        (Response(200, {"data": {"orders": [{"at": "yesterday"}]}}), "'yesterday' is no timestamp"),
        (Response(200, b"[" + b"1," * 5000 + b"1]"), r"answers with more than 1000 bytes.*http\.response\.max\.bytes"),
    ],
)
def test_an_answer_of_another_shape_fails_the_task(orders: Orders, answer: Response, says: str) -> None:
    orders.server.answering = lambda request: answer
    with (
        SourceTaskHarness(HttpSource, props(orders, "link", http_response_max_bytes="1000")) as run,
        pytest.raises(ConnectError, match=says) as failed,
    ):
        run.poll()
    assert not isinstance(failed.value, RetriableError)


@pytest.mark.parametrize("nothing", [[], None])
def test_an_answer_without_records(orders: Orders, nothing: object) -> None:
    orders.server.answering = lambda request: Response(200, {"data": {"orders": nothing}})
    with SourceTaskHarness(HttpSource, props(orders, "link")) as run:
        assert run.poll() == []


def test_a_page_that_has_expired_begins_the_round_anew(orders: Orders) -> None:
    with SourceTaskHarness(HttpSource, props(orders, "cursor")) as run:
        assert read(run, 2) == [0, 1]
        run.commit()
    plain = orders.answer
    orders.server.answering = lambda request: (
        Response(410) if request.query.get("cursor") == "c2" and gone else plain(request)
    )
    gone = [True]
    with SourceTaskHarness(HttpSource, props(orders, "cursor"), offsets=run.offsets) as again:
        assert again.poll() == []
        gone.clear()
        assert read(again, 5) == [0, 1, 2, 3, 4]
    gone.append(True)
    with (
        SourceTaskHarness(HttpSource, props(orders, "cursor"), offsets=run.offsets) as again,
        pytest.raises(ConnectError, match="410"),
    ):
        again.poll_until(5)


def test_a_link_to_another_origin_is_followed_if_told_and_without_credentials(orders: Orders) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(
            running_http_server(lambda request: Response(200, {"data": {"orders": [order(9)]}, "paging": {}}))
        )
        orders.server.answering = lambda request: Response(
            200, {"data": {"orders": [order(0)]}, "paging": {"next": f"{other.url}/next?token=1"}}
        )
        given = props(orders, "next") | {
            "http.auth.type": "Bearer",
            "http.auth.token": "t0ken",
            "http.request.headers": "X-Key: k3y",
        }
        with SourceTaskHarness(HttpSource, given) as run:
            assert read(run, 1) == [0]
            with pytest.raises(ConnectError, match=f"link to the next page of .* leads to {other.url}, another origin"):
                run.poll()
        assert other.requests == []
        given["http.redirects"] = "any"
        with SourceTaskHarness(HttpSource, given) as run:
            assert read(run, 2) == [0, 9]
        set_bounds(Bounds.from_props({"egress.allow": f"127.0.0.1:{orders.server.port}"}))
        try:
            with SourceTaskHarness(HttpSource, given) as run:
                assert read(run, 1) == [0]
                with pytest.raises(ConnectError, match=r"egress\.allow"):
                    run.poll()
        finally:
            set_bounds(Bounds())
    [request] = other.requests
    assert not {"authorization", "x-key"} & set(request.headers)


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "http://user:pass@127.0.0.1/",
        "gopher://x/",
        "http://127.0.0.1\\@evil.example/",
        "http://127.0.0.1 /",
        "http://[::1/",
        "http://a b/",
    ],
)
def test_a_link_that_is_no_url_of_http_is_not_followed(orders: Orders, target: str) -> None:
    orders.server.answering = lambda request: Response(
        200, {"data": {"orders": [order(0)]}, "paging": {"next": target}}
    )
    with (
        SourceTaskHarness(HttpSource, props(orders, "next", http_redirects="any")) as run,
        pytest.raises(ConnectError, match="is no URL"),
    ):
        run.poll_until(5)


def test_a_page_that_is_its_own_next_one_does_not_go_on_for_ever(orders: Orders) -> None:
    orders.server.answering = lambda request: Response(
        200, {"data": {"orders": [order(0)]}, "paging": {"next": "/tokens?cursor=same"}}
    )
    with SourceTaskHarness(HttpSource, props(orders, "next")) as run, pytest.raises(ConnectError, match="itself"):
        run.poll_until(5)


def test_intervals_are_kept_and_shorter_where_there_is_much_to_catch_up_with(orders: Orders) -> None:
    given = props(orders, http_timer_interval_millis="3600000", http_timer_catchup_interval_millis="1")
    orders.items = [order(0)]
    with SourceTaskHarness(HttpSource, given) as run:
        run.poll_until(1)
        orders.items.append(order(1))
        run.poll_until(1)  # the newest is old: caught up with soon
        now = datetime.now(UTC).isoformat()
        orders.items.append(order(2, at=now))
        run.poll_until(1)
        before = len(orders.server.requests)
        assert [run.poll(), run.poll()] == [[], []]
        assert len(orders.server.requests) == before


@pytest.mark.parametrize(
    ("offset", "says"),
    [
        ({"timestamp": "2026-01-01T00:00:00Z"}, None),
        ({"key": "7", "timestamp": "1767225600000"}, None),
        ({"timestamp": "soon"}, "no timestamp"),
        ({"timestamp": 5}, "must be text"),
        ({"id": "5"}, r"there is no id in the offsets.*names key, timestamp"),
        ({"timestamp": "2026-01-01T00:00:00Z", "http.seen": "x"}, r"http\.seen is not what this source writes"),
    ],
)
def test_offsets_that_a_user_sets_are_checked(orders: Orders, offset: Mapping[str, Any], says: str | None) -> None:
    source = HttpSource()
    if says is None:
        assert source.alter_offsets(props(orders), {frozenset(): offset})
        return
    with pytest.raises(ConnectError, match=says):
        source.alter_offsets(props(orders), {frozenset(): offset})
    with pytest.raises(ConnectError, match=r"must be \{\}"):
        source.alter_offsets(props(orders), {frozenset({("a", 1)}): None})


def test_an_offset_that_a_user_set_is_where_it_goes_on(orders: Orders) -> None:
    offsets = MemoryOffsets()
    offsets.store({}, {"timestamp": order(3)["at"]})
    with SourceTaskHarness(HttpSource, props(orders, "link"), offsets=offsets) as run:
        assert read(run, 2) == [3, 4]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("http.request.url", "https://${offset.shop}.example.com/"),
        ("http.request.params", "a=${offset.timestamp?string('yyyy')}"),
        ("http.request.params", "=1"),
        ("http.request.headers", "X-A"),
        ("http.request.body", "x"),
        ("http.response.list.pointer", "items"),
        (POINTERS, "key"),
        (POINTERS, "http.page=/x"),
        (POINTERS, "key=id"),
        ("http.offset.initial", "timestamp=soon"),
        ("http.paging.pointer", ""),
        ("http.auth.token", ""),
        ("http.response.policy.codes.process", "2xx"),
        ("http.timer", "my.own.Timer"),
        ("http.client.proxy.host", "proxy"),
        ("http.response.record.timestamp.parser.pattern", "dd.MM.yyyy"),
    ],
)
def test_what_is_not_covered_or_no_good_is_refused_by_name(orders: Orders, key: str, value: str) -> None:
    given = props(orders) | {key: value}
    if key == "http.auth.token":
        given["http.auth.type"] = "bearer"
    if key == "http.paging.pointer":
        given["http.paging"] = "next"
    assert list(validation_errors(HttpSource, given)) == [key]


def test_logins_are_sent_base64_and_never_shown() -> None:
    secret = base64.b64encode(b"me:s3cret").decode()
    config = HttpSource.config_class.parse(
        {"http.request.url": "http://x/", "kafka.topic": "t", "http.auth.user": "me", "http.auth.password": "s3cret"}
    )
    assert "s3cret" not in repr(config)
    assert secret not in repr(config)
