"""What is sent to a registry, and what its refusals become: against a small HTTP server that plays the registry."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kconnect import bounds
from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError
from kconnect_converters.schema_registry.client import SchemaRegistryClient
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from services.certificates import PASSWORD, Authority, Identity


class Stage:
    """Answers requests with what is queued, the last answer again and again; keeps what was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: list[tuple[int, Any]] = [(200, {"id": 1, "schema": '"int"'})]
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        stage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                stage.asked.append((self.command, self.path, dict(self.headers.items()), body))
                status, answer = stage.answers.pop(0) if len(stage.answers) > 1 else stage.answers[0]
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def client(self, url: str | None = None, **settings: str) -> SchemaRegistryClient:
        props = {"schema.registry.url": url or f"http://{self.address}", "retries.wait.ms": "1"}
        props |= {name.replace("_", "."): value for name, value in settings.items()}
        return SchemaRegistryClient(SchemaRegistryConfig.parse(props))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="ada" password="s3cret";'


@pytest.mark.parametrize(
    ("prefix", "settings", "expected"),
    [
        ("ada:s%40cret@", {}, basic("ada:s@cret")),
        ("", {"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "ada:a:b"}, basic("ada:a:b")),
        (
            "",
            {"basic.auth.credentials.source": "USER_INFO", "schema.registry.basic.auth.user.info": "ada:x"},
            basic("ada:x"),
        ),
        ("", {"basic.auth.credentials.source": "SASL_INHERIT", "sasl.jaas.config": JAAS}, basic("ada:s3cret")),
        ("", {"bearer.auth.token": "t0ken"}, "Bearer t0ken"),
        ("", {}, None),
    ],
)
def test_credentials_are_sent(stage: Stage, prefix: str, settings: dict[str, str], expected: str | None) -> None:
    stage.client(f"http://{prefix}{stage.address}", **settings).by_id(1)
    assert stage.asked[0][2].get("Authorization") == expected


def test_headers_of_the_users_own_are_sent(stage: Stage) -> None:
    stage.client(**{"request.header.X-Team": "data"}).by_id(1)
    assert stage.asked[0][2]["X-Team"] == "data"


def test_what_was_asked_once_is_remembered(stage: Stage) -> None:
    client = stage.client()
    for _ in range(3):
        client.by_id(1)
        client.register("s", '"int"')
    assert [(method, path) for method, path, _, _ in stage.asked] == [
        ("GET", "/schemas/ids/1"),
        ("POST", "/subjects/s/versions"),
    ]


@pytest.mark.parametrize(("ttl", "requests"), [("-1", 1), ("0", 2)])
def test_the_latest_schema_is_asked_for_again_when_its_time_is_over(stage: Stage, ttl: str, requests: int) -> None:
    client = stage.client(latest_cache_ttl_sec=ttl)
    client.latest("s")
    client.latest("s")
    assert len(stage.asked) == requests


def test_subjects_are_quoted_and_normalizing_is_asked_for(stage: Stage) -> None:
    stage.client(normalize_schemas="true").register("a/b c", '"int"')
    assert stage.asked[0][1] == "/subjects/a%2Fb%20c/versions?normalize=true"
    assert stage.asked[0][3] == {"schema": '"int"'}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_asked_again(stage: Stage, status: int) -> None:
    stage.answers = [(status, {"error_code": 50001, "message": "away"}), *stage.answers]
    assert stage.client().by_id(1).text == '"int"'
    assert len(stage.asked) == 2


def test_a_lasting_one_is_retriable_after_as_many_times_as_allowed(stage: Stage) -> None:
    stage.answers = [(503, b"<html>down</html>")]
    with pytest.raises(RetriableError, match="down"):
        stage.client(max_retries="2").by_id(1)
    assert len(stage.asked) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_end_the_task_and_are_not_shown(stage: Stage, status: int) -> None:
    stage.answers = [(status, {"error_code": status, "message": "who are you?"})]
    with pytest.raises(ConnectError, match=r"who are you\?.*basic.auth.user.info") as caught:
        stage.client(f"http://ada:s3cret@{stage.address}").by_id(1)
    assert not isinstance(caught.value, DataError | RetriableError)
    assert "s3cret" not in str(caught.value)


def test_what_is_no_registry_is_named(stage: Stage) -> None:
    stage.answers = [(200, b"<html>welcome</html>")]
    with pytest.raises(ConnectError, match=r"schema.registry.url names no schema registry.*welcome"):
        stage.client().by_id(1)


def test_what_is_not_compatible_is_told(stage: Stage) -> None:
    stage.answers = [
        (409, {"error_code": 409, "message": "incompatible"}),
        (200, {"is_compatible": False, "messages": ["field id was a long"]}),
    ]
    with pytest.raises(DataError, match="subject s: field id was a long"):
        stage.client().register("s", '"int"')


@pytest.mark.timeout(30)
def test_a_registry_that_is_slow_is_not_waited_for_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"schema.registry.url": f"http://127.0.0.1:{silent.getsockname()[1]}", "max.retries": "0"}
        client = SchemaRegistryClient(SchemaRegistryConfig.parse(settings | {"http.read.timeout.ms": "50"}))
        with pytest.raises(RetriableError, match="timed out"):
            client.by_id(1)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "schema.registry.url"),
        ({"schema.registry.url": ""}, "schema.registry.url"),
        ({"schema.registry.url": "localhost:8081"}, "schema.registry.url"),
        ({"schema.registry.url": "http://a:b"}, "schema.registry.url"),
        ({"value.subject.name.strategy": "com.acme.Mine"}, "value.subject.name.strategy"),
        ({"bearer.auth.credentials.source": "OAUTHBEARER"}, "bearer.auth.credentials.source"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_key(settings: dict[str, str], key: str) -> None:
    props = settings if key == "schema.registry.url" else {"schema.registry.url": "http://a", **settings}
    with pytest.raises(ConfigError) as caught:
        SchemaRegistryConfig.parse(props)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"basic.auth.credentials.source": "USER_INFO"}, "basic.auth.user.info"),
        ({"basic.auth.credentials.source": "SASL_INHERIT"}, "sasl.jaas.config"),
        ({"schema.registry.ssl.truststore.location": "/nowhere.pem"}, "schema.registry.ssl.truststore.location"),
    ],
)
def test_credentials_and_files_that_are_not_there_are_refused_by_key(settings: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SchemaRegistryClient(SchemaRegistryConfig.parse({"schema.registry.url": "https://a", **settings}))
    assert caught.value.key == key


def test_a_host_beyond_the_workers_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = bounds.Bounds.from_props({"egress.allow": "registry.local"})
    monkeypatch.setattr(bounds, "_bounds", allowed)
    assert SchemaRegistryConfig.parse({"schema.registry.url": "http://registry.local"})
    with pytest.raises(ConfigError, match="egress"):
        SchemaRegistryConfig.parse({"schema.registry.url": "http://elsewhere.local"})


def test_the_password_of_a_url_shows_in_no_message() -> None:
    with pytest.raises(ConfigError) as caught:
        SchemaRegistryConfig.parse({"schema.registry.url": "ftp://ada:s3cret@a"})
    assert "s3cret" not in str(caught.value)


@contextmanager
def secure_stage(authority: Authority, identity: Identity, *, asks_for_key: bool = False) -> Iterator[Stage]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.pem)
    if asks_for_key:
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    made = Stage(context)
    try:
        yield made
    finally:
        made.close()


def ssl_settings(**settings: object) -> dict[str, str]:
    return {f"schema.registry.ssl.{name.replace('_', '.')}": str(value) for name, value in settings.items()}


def test_certificates_of_the_users_own_authority_are_believed_and_no_others(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with secure_stage(authority, authority.issue("registry")) as stage:
        url = f"https://{stage.address}"
        trusting = ssl_settings(truststore_location=authority.certificate)
        assert stage.client(url, **trusting).by_id(1).text == '"int"'
        with pytest.raises(RetriableError, match="certificate verify failed"):
            stage.client(url, max_retries="0").by_id(1)


@pytest.mark.parametrize(("algorithm", "believed"), [("https", False), ("", True), ("none", True)])
def test_a_certificate_of_another_host_is_believed_only_where_that_is_not_checked(
    tmp_path: Path, algorithm: str, believed: bool
) -> None:
    authority = Authority(tmp_path)
    identity = authority.issue("registry", host="elsewhere.local", address="127.0.0.9")
    settings = ssl_settings(truststore_location=authority.certificate, endpoint_identification_algorithm=algorithm)
    with secure_stage(authority, identity) as stage:
        client = stage.client(f"https://{stage.address}", max_retries="0", **settings)
        if believed:
            assert client.by_id(1).text == '"int"'
        else:
            with pytest.raises(RetriableError, match="IP address mismatch"):
                client.by_id(1)


@pytest.mark.parametrize("store", ["pem", "pkcs12"])
def test_a_registry_that_asks_for_a_certificate_gets_ours(tmp_path: Path, store: str) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("us")
    settings = ssl_settings(truststore_location=authority.certificate, keystore_location=getattr(own, store))
    if store == "pkcs12":
        settings |= ssl_settings(keystore_password=PASSWORD)
    with secure_stage(authority, authority.issue("registry"), asks_for_key=True) as stage:
        assert stage.client(f"https://{stage.address}", **settings).by_id(1).text == '"int"'


def test_a_store_whose_password_is_wrong_is_refused_by_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = ssl_settings(keystore_location=authority.issue("us").pkcs12, keystore_password="wrong")
    with pytest.raises(ConfigError) as caught:
        SchemaRegistryClient(SchemaRegistryConfig.parse({"schema.registry.url": "https://a", **settings}))
    assert caught.value.key == "schema.registry.ssl.keystore.location"
