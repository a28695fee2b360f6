from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import urllib3

from kconnect import ConnectError, SourceRecord
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.deadline import Deadline
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_http.webhook_source import WebhookSource
from services.certificates import Authority
from services.processes import free_ports

SECONDS = 20.0
SECRET = "wh-s3cret"


def free_port() -> int:
    [port] = free_ports(1)
    return port


@dataclass
class Senders:
    """Those who send webhooks, each in a thread."""

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=16, retries=False))

    def send(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Future[urllib3.BaseHTTPResponse]:
        return self.pool.submit(self.http.request, method, url, body=body, headers=dict(headers or {}), timeout=SECONDS)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kconnect_http.webhook_source._IDLE_S", 0.02)


@pytest.fixture
def senders() -> Iterator[Senders]:
    given = Senders()
    yield given
    given.pool.shutdown(wait=True, cancel_futures=True)
    given.http.clear()


def props(port: int, **more: str) -> dict[str, str]:
    given = {"webhook.port": str(port), "topic": "hooks"}
    return given | {name.replace("__", "-").replace("_", "."): value for name, value in more.items()}


def url(run_props: Mapping[str, str], path: str = "/") -> str:
    return f"http://127.0.0.1:{run_props['webhook.port']}{path}"


def served(run: SourceTaskHarness, *answers: Future[urllib3.BaseHTTPResponse]) -> list[SourceRecord]:
    """Poll and commit, as the worker does, until all of them are there."""
    records: list[SourceRecord] = []
    deadline = Deadline(SECONDS)
    while not all(answer.done() for answer in answers):
        deadline.check("no answer")
        records += run.poll()
        run.commit()
    return records


class TestWebhookSource(SourceConformance):
    connector_class = WebhookSource

    @pytest.fixture
    def props(self) -> Iterator[dict[str, str]]:
        """Of a port that someone sends three webhooks to, again and again until each is answered with 200."""
        given = props(free_port())
        ended = threading.Event()

        def send(number: int) -> None:
            with urllib3.PoolManager(retries=False) as http:
                while not ended.is_set():
                    try:
                        body = json.dumps({"n": number}).encode()
                        if http.request("POST", url(given), body=body, timeout=1.0).status == 200:
                            return
                    except urllib3.exceptions.HTTPError:
                        pass
                    ended.wait(0.05)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        yield given
        ended.set()
        for thread in threads:
            thread.join(SECONDS)

    @pytest.mark.parametrize("stored", [0, 1])
    def test_what_was_not_committed_comes_again(self, props: dict[str, str], stored: int) -> None:
        """In whatever order its senders send it."""
        with SourceTaskHarness(WebhookSource, props) as run:
            first = run.poll_until(3)
        for record in first[:stored]:
            run.offsets.store(record.source_partition or {}, record.source_offset)
        with SourceTaskHarness(WebhookSource, props, offsets=run.offsets) as again:
            missing = {record.value["n"] for record in first[stored:]}
            deadline = Deadline(SECONDS)
            while missing:
                deadline.check(f"{missing} are lost")
                missing -= {record.value["n"] for record in again.poll()}

    def test_goes_on_after_any_committed_record_without_a_gap(self, props: dict[str, str]) -> None:
        self.test_what_was_not_committed_comes_again(props, 1)

    def test_what_a_task_had_that_ended_without_a_word_comes_again(self, props: dict[str, str]) -> None:
        """A port is one task's: the next one has it when the first is gone, as the tests of workers show."""
        with SourceTaskHarness(WebhookSource, props) as first:
            first.poll_until(3)
            with pytest.raises(ConnectError, match="something listens on"), SourceTaskHarness(WebhookSource, props):
                pass


@pytest.mark.parametrize("mode", ["synced", "stored"])
def test_a_sender_is_answered_when_its_record_is_kept_and_not_before(senders: Senders, mode: str) -> None:
    given = props(free_port(), webhook_acknowledge=mode)
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), b'{"id": 7}', {"Content-Type": "application/json"})
        [record] = run.poll_until(1)
        assert (record.topic, record.key, record.value) == ("hooks", None, {"id": 7})
        assert (record.source_partition, record.source_offset) == ({}, {"received": 0})
        run.poll()
        assert not answer.done()
        run.task.commit_record(record, None)
        if mode == "synced":
            run.poll()
            assert not answer.done()
            assert isinstance(run.task.context.commits_requested, int)  # type: ignore[attr-defined] # the harness's own
            assert run.task.context.commits_requested == 1  # type: ignore[attr-defined] # the harness's own
            run.task.commit_offsets([({}, {"received": 0})])
        assert (answer.result(SECONDS).status, answer.result().data) == (200, b'{"status":"stored"}')


def test_acknowledgements_that_overtake_one_another_answer_nobody_too_early(senders: Senders) -> None:
    given = props(free_port(), webhook_acknowledge="stored")
    with SourceTaskHarness(WebhookSource, given) as run:
        first = senders.send(url(given), b"1")
        [one] = run.poll_until(1)
        second = senders.send(url(given), b"2")
        [two] = run.poll_until(1)
        run.task.commit_record(two, None)
        run.poll()
        assert not first.done()
        run.task.commit_record(one, None)
        assert [first.result(SECONDS).status, second.result(SECONDS).status] == [200, 200]


def test_offsets_that_are_stored_answer_those_up_to_them_and_nobody_else(senders: Senders) -> None:
    given = props(free_port())
    with SourceTaskHarness(WebhookSource, given) as run:
        first = senders.send(url(given), b"1")
        [one] = run.poll_until(1)
        second = senders.send(url(given), b"2")
        [two] = run.poll_until(1)
        run.task.commit_offsets([({}, one.source_offset or {})])
        assert first.result(SECONDS).status == 200
        run.poll()
        assert not second.done()
        run.task.commit_offsets([({}, two.source_offset or {})])
        assert second.result(SECONDS).status == 200


def test_counting_goes_on_after_a_restart(senders: Senders) -> None:
    given = props(free_port())
    offsets = MemoryOffsets()
    for expected in (0, 1):
        with SourceTaskHarness(WebhookSource, given, offsets=offsets) as run:
            [record] = served(run, senders.send(url(given), b"{}"))
        assert record.source_offset == {"received": expected}


def test_many_senders_at_once_are_all_answered(senders: Senders) -> None:
    given = props(free_port())
    with SourceTaskHarness(WebhookSource, given) as run:
        answers = [senders.send(url(given), b"%d" % n) for n in range(200)]
        records = served(run, *answers)
    assert sorted(record.value for record in records) == list(range(200))
    assert {answer.result().status for answer in answers} == {200}


def test_paths_and_headers_lead_to_topics_and_keys(senders: Senders) -> None:
    given = props(
        free_port(),
        webhook_paths="/shops/{shop}/in, /fixed/{shop}",
        topic="shop.${path.shop}.${header.x-event}",
        webhook_headers="X-Event, X-Missing",
        webhook_key_pointer="/order/id",
    )
    with SourceTaskHarness(WebhookSource, given) as run:
        body = b'{"order": {"id": 12}}'
        [record] = served(run, senders.send(url(given, "/shops/berlin/in"), body, {"X-Event": "paid"}))
        assert (record.topic, record.key) == ("shop.berlin.paid", "12")
        assert [(header.key, header.value) for header in record.headers] == [("X-Event", "paid")]
        refused = [
            senders.send(url(given, path), body, headers)
            for path, headers in [
                ("/shops/berlin", {"X-Event": "paid"}),
                ("/shops/a%2Fb/in", {"X-Event": "paid"}),
                ("/shops/a b/in", {"X-Event": "paid"}),
                ("/shops/berlin/in", {}),
                ("/shops/berlin/in", {"X-Event": "../etc"}),
            ]
        ]
        assert served(run, *refused) == []
    assert [answer.result().status for answer in refused] == [404, 404, 404, 400, 400]


@pytest.mark.parametrize(
    ("more", "body", "values"),
    [
        ({"webhook_format": "string"}, "text é".encode(), ["text é"]),
        ({"webhook_format": "bytes"}, b"\x00\xff", [b"\x00\xff"]),
        ({"webhook_list_pointer": "/"}, b"[1, 2, 3]", [1, 2, 3]),
        ({"webhook_list_pointer": "/events"}, b'{"events": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        ({"webhook_list_pointer": "/"}, b"[]", []),
    ],
)
def test_forms_of_bodies(senders: Senders, more: dict[str, str], body: bytes, values: list[object]) -> None:
    given = props(free_port(), **more)
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), body)
        assert [record.value for record in served(run, answer)] == values
    assert answer.result().status == 200


@pytest.mark.parametrize(
    ("more", "body", "status"),
    [
        ({}, b'{"id": ', 400),
        ({"webhook_format": "string"}, b"\xff", 400),
        ({"webhook_list_pointer": "/events"}, b"{}", 400),
        ({"webhook_max_bytes": "10"}, b"[" + b" " * 10 + b"]", 413),
    ],
)
def test_a_body_that_will_never_be_a_record_is_refused(
    senders: Senders, more: dict[str, str], body: bytes, status: int
) -> None:
    given = props(free_port(), **more)
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), body)
        assert served(run, answer) == []
        assert answer.result().status == status
        assert len(served(run, senders.send(url(given), b'["ok"]'))) == (0 if "webhook_list_pointer" in more else 1)


def test_other_methods_and_endless_bodies_are_refused(senders: Senders) -> None:
    given = props(free_port(), webhook_max_bytes="100000")

    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    with SourceTaskHarness(WebhookSource, given) as run:
        wrong = senders.send(url(given), b"{}", method="DELETE")
        served(run, wrong)
        assert (wrong.result().status, wrong.result().headers["allow"]) == (405, "POST")
        with socket.create_connection(("127.0.0.1", int(given["webhook.port"])), SECONDS) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for chunk in endless():
                try:
                    raw.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                except OSError:
                    break
            assert raw.recv(12) == b"HTTP/1.1 413"


def test_what_nobody_stores_is_answered_with_503_and_when_to_come_again(senders: Senders) -> None:
    given = props(free_port(), webhook_timeout_ms="200", webhook_retry_after_s="7")
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), b"1")
        assert answer.result(SECONDS).status == 503
        assert answer.result().headers["retry-after"] == "7"
        assert run.poll() == [], "who was told to come again is not kept besides"
        late = senders.send(url(given), b"2")
        [record] = run.poll_until(1)
        assert late.result(SECONDS).status == 503
        run.task.commit_offsets([({}, record.source_offset or {})])
        [again] = served(run, senders.send(url(given), b"2"))
        assert again.value == 2


def test_a_full_backlog_is_answered_with_503(senders: Senders) -> None:
    given = props(free_port(), webhook_backlog_max="3", webhook_backlog_max_bytes="1000")
    with SourceTaskHarness(WebhookSource, given) as run:
        first = [senders.send(url(given), b'"%s"' % (b"x" * 200)) for _ in range(3)]
        taken = run.poll_until(3)
        fourth = senders.send(url(given), b"4")
        assert fourth.result(SECONDS).status == 503
        run.task.commit_offsets([({}, taken[-1].source_offset or {})])
        assert [answer.result(SECONDS).status for answer in first] == [200] * 3
        large = senders.send(url(given), b'"%s"' % (b"x" * 1200))
        assert large.result(SECONDS).status == 503
        assert len(served(run, senders.send(url(given), b"5"))) == 1, "there is room again"


def signature(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def stripe(body: bytes, secret: str = SECRET, age: int = 0) -> str:
    at = int(time.time()) - age
    return f"t={at},v0=abc,v1={signature(b'%d.%s' % (at, body), secret)}"


BODY = b'{"amount": 5}'
BASE64 = base64.b64encode(hmac.new(SECRET.encode(), BODY, hashlib.sha512).digest()).decode()


def signed_by_kind() -> dict[str, tuple[dict[str, str], dict[str, str], list[dict[str, str]]]]:
    """Per kind its settings, headers that are let in, and such that are not; signed now, for a time grows old."""
    return {
        "token": (
            {},
            {"Authorization": f"Bearer {SECRET}"},
            [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"X-Token": SECRET}],
        ),
        "github": (
            {},
            {"X-Hub-Signature-256": f"sha256={signature(BODY)}"},
            [
                {},
                {"X-Hub-Signature-256": signature(BODY)},
                {"X-Hub-Signature-256": f"sha256={signature(BODY + b' ')}"},
                {"X-Hub-Signature-256": f"sha256={signature(BODY, 'other')}"},
                {"X-Hub-Signature-256": "sha256=\u00e9".encode().decode("latin-1")},
            ],
        ),
        "stripe": (
            {},
            {"Stripe-Signature": stripe(BODY)},
            [
                {},
                {"Stripe-Signature": stripe(BODY, age=1000)},
                {"Stripe-Signature": stripe(BODY, "other")},
                {"Stripe-Signature": stripe(BODY).replace("t=", "t=x")},
                {"Stripe-Signature": stripe(BODY).replace("v1=", "v2=")},
                {"Stripe-Signature": stripe(BODY) + ",t=1"},
            ],
        ),
        "hmac": (
            {
                "webhook_auth_header": "X-Shop",
                "webhook_hmac_algorithm": "sha512",
                "webhook_hmac_encoding": "base64",
                "webhook_hmac_prefix": "v=",
            },
            {"X-Shop": f"v={BASE64}"},
            [{}, {"X-Shop": BASE64}, {"X-Shop": f"v={BASE64[:-4]}AAA="}, {"X-Signature": f"v={BASE64}"}],
        ),
    }


@pytest.mark.parametrize("kind", signed_by_kind())
def test_senders_that_do_not_know_the_secret_are_not_let_in(senders: Senders, kind: str) -> None:
    more, good, bad = signed_by_kind()[kind]
    given = props(free_port(), webhook_auth_type=kind, webhook_secret=SECRET, **more)
    with SourceTaskHarness(WebhookSource, given) as run:
        refused = [senders.send(url(given), BODY, headers) for headers in bad]
        assert served(run, *refused) == []
        assert {answer.result().status for answer in refused} == {401}
        [record] = served(run, senders.send(url(given), BODY, good))
        assert record.value == {"amount": 5}


def test_a_secret_may_follow_another(senders: Senders) -> None:
    given = props(free_port(), webhook_auth_type="github", webhook_secret="new-one", webhook_secret_previous=SECRET)
    with SourceTaskHarness(WebhookSource, given) as run:
        for secret, status in ((SECRET, 200), ("new-one", 200), ("other", 401)):
            answer = senders.send(url(given), BODY, {"X-Hub-Signature-256": f"sha256={signature(BODY, secret)}"})
            served(run, answer)
            assert answer.result().status == status


@pytest.mark.parametrize("mutual", [False, True])
def test_tls_and_certificates_of_senders(tmp_path: Path, mutual: bool) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("client")
    given = props(free_port(), webhook_ssl_keystore_location=str(authority.issue("server").pem))
    if mutual:
        given["webhook.ssl.truststore.location"] = str(authority.certificate)
    context = ssl.create_default_context(cafile=authority.certificate)
    knows = Senders(http=urllib3.PoolManager(ssl_context=context, retries=False))
    with SourceTaskHarness(WebhookSource, given) as run:
        address = url(given).replace("http:", "https:")
        stranger = knows.send(address, b"1")
        if mutual:
            served(run, stranger)
            assert isinstance(stranger.exception(), urllib3.exceptions.HTTPError)
            context.load_cert_chain(client.pem)
            knows.http.clear()
        answer = knows.send(address, b"2")
        assert 2 in [record.value for record in served(run, answer)]
        assert answer.result().status == 200
    knows.pool.shutdown()
    knows.http.clear()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                ConnectError, match=rf"webhook\.port={port}: something listens on 127\.0\.0\.1:{port} already"
            ),
            SourceTaskHarness(WebhookSource, props(port)),
        ):
            pass


def test_an_address_of_another_machine_is_named() -> None:
    with (
        pytest.raises(ConnectError, match=r"webhook\.host=192\.0\.2\.1: cannot listen there"),
        SourceTaskHarness(WebhookSource, props(free_port(), webhook_host="192.0.2.1")),
    ):
        pass


def test_who_waits_when_the_task_ends_is_told_to_come_again(senders: Senders) -> None:
    given = props(free_port())
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), b"1")
        run.poll_until(1)
    assert answer.result(SECONDS).status == 503


def test_an_interrupted_task_takes_nothing_more_and_answers_what_is_then_stored(senders: Senders) -> None:
    given = props(free_port())
    with SourceTaskHarness(WebhookSource, given) as run:
        answer = senders.send(url(given), b"1")
        [record] = run.poll_until(1)
        interrupt = threading.Thread(target=run.task.stop)
        interrupt.start()
        interrupt.join(SECONDS)
        assert senders.send(url(given), b"2").result(SECONDS).status == 503
        run.task.commit_offsets([({}, record.source_offset or {})])
        assert answer.result(SECONDS).status == 200


def test_connections_that_say_nothing_are_hung_up_on(monkeypatch: pytest.MonkeyPatch, senders: Senders) -> None:
    monkeypatch.setattr("kconnect_http.listener._REQUEST_S", 0.2)
    given = props(free_port())
    with SourceTaskHarness(WebhookSource, given) as run:
        for said in (b"", b"POST / HTTP/1.1\r\nHo"):
            with socket.create_connection(("127.0.0.1", int(given["webhook.port"])), SECONDS) as silent:
                silent.sendall(said)
                with pytest.raises(ConnectionResetError):
                    raise ConnectionResetError if silent.recv(1) == b"" else AssertionError
        assert len(served(run, senders.send(url(given), b"1"))) == 1


@pytest.mark.parametrize(
    ("key", "value", "more"),
    [
        ("webhook.paths", "hooks", {}),
        ("webhook.paths", "/a{b}", {}),
        ("webhook.paths", "", {}),
        ("topic", "${path.shop}", {}),
        ("topic", "${shop}", {}),
        ("webhook.secret", "", {"webhook.auth.type": "github"}),
        ("webhook.ssl.keystore.location", "", {"webhook.ssl.truststore.location": "x"}),
        ("webhook.list.pointer", "/a", {"webhook.format": "string"}),
        ("webhook.key.header", "X-Key", {"webhook.key.pointer": "/a"}),
        ("webhook.headers", "X:Y", {}),
        ("webhook.methods", "GET", {}),
        ("webhook.port", "0", {}),
    ],
)
def test_what_is_no_good_is_refused_by_name(key: str, value: str, more: dict[str, str]) -> None:
    assert list(validation_errors(WebhookSource, props(8080) | more | {key: value})) == [key]


@pytest.mark.parametrize(
    "alter",
    [
        lambda: WebhookSource().alter_offsets(props(1), {frozenset({("a", 1)}): None}),
        lambda: WebhookSource().alter_offsets(props(1), {frozenset(): {"received": "5"}}),
        lambda: WebhookSource().alter_offsets(props(1), {frozenset(): {"received": -1}}),
    ],
)
def test_offsets_that_a_user_sets_are_checked(alter: Callable[[], bool]) -> None:
    with pytest.raises(ConnectError, match="must be"):
        alter()
    assert WebhookSource().alter_offsets(props(1), {frozenset(): {"received": 5}})
