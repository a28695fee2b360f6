"""Logins, TLS, sockets, bounds: how connectors get to Redis, and what they say when they do not."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kconnect import ConfigError, ConnectError, RetriableError
from kconnect.bounds import Bounds, set_bounds
from kconnect.testing.conformance import validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_redis import subscription
from kconnect_redis.keys_source import RedisKeysSource
from kconnect_redis.pubsub_source import RedisPubSubSource
from kconnect_redis.sink import RedisSink
from kconnect_redis.stream_source import RedisStreamSource
from services.processes import free_ports
from services.redis import RedisServer, redis_client, running_redis

pytestmark = pytest.mark.needs("redis-server")


def sink(**props: str) -> SinkTaskHarness:
    return SinkTaskHarness(RedisSink, {"name": "test", "redis.type": "SET", **props})


def put_one(**props: str) -> None:
    with sink(**props) as run:
        run.put([run.record("v", key="k")])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cert.pem of 127.0.0.1, signed by itself, with key.pem and the same under a password, locked.pem."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for file, lock in (
        ("key.pem", serialization.NoEncryption()),
        ("locked.pem", serialization.BestAvailableEncryption(b"keypass")),
    ):
        (folder / file).write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        )
    return folder


@pytest.fixture(scope="module")
def tls_server(certificates: Path) -> Iterator[RedisServer]:
    """Its TLS port, one above its own, wants a certificate of clients."""
    files = [f"--tls-{what}-file" for what in ("cert", "key", "ca-cert")]
    names = ["cert.pem", "key.pem", "cert.pem"]
    options = [text for file, name in zip(files, names, strict=True) for text in (file, str(certificates / name))]
    [port] = free_ports(1)
    with running_redis("--tls-port", str(port), "--tls-auth-clients", "yes", *options) as server:
        server.tls_port = port  # type: ignore[attr-defined] # of this test alone
        yield server


def test_tls_with_a_certificate_of_ones_own(tls_server: Any, certificates: Path) -> None:
    login = {
        "redis.uri": f"rediss://127.0.0.1:{tls_server.tls_port}",
        "redis.cacert": str(certificates / "cert.pem"),
        "redis.key.cert": str(certificates / "cert.pem"),
    }
    put_one(**login, **{"redis.key.file": str(certificates / "key.pem")})
    put_one(**login, **{"redis.key.file": str(certificates / "locked.pem"), "redis.key.password": "keypass"})
    with pytest.raises(ConfigError, match=r"redis\.key\.file: .* cannot be read, or not with redis\.key\.password"):
        put_one(**login, **{"redis.key.file": str(certificates / "locked.pem"), "redis.key.password": "wrong"})
    with pytest.raises(RetriableError, match="cannot be reached"):
        put_one(**{name: value for name, value in login.items() if name != "redis.key.cert"})


def test_a_certificate_of_nobody_known_is_refused_unless_any_will_do(tls_server: Any, certificates: Path) -> None:
    login = {
        "redis.host": "127.0.0.1",
        "redis.port": str(tls_server.tls_port),
        "redis.tls": "true",
        "redis.key.cert": str(certificates / "cert.pem"),
        "redis.key.file": str(certificates / "key.pem"),
    }
    with pytest.raises(ConnectError, match=r"is not believed: .* Check redis\.cacert") as refused:
        put_one(**login)
    assert not isinstance(refused.value, RetriableError)
    put_one(**login, **{"redis.insecure": "true"})


def test_a_file_of_authorities_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"redis\.cacert: .*none.pem cannot be read"):
        put_one(**{"redis.uri": "rediss://127.0.0.1:1", "redis.cacert": str(tmp_path / "none.pem")})


def test_a_unix_socket(tmp_path: Path) -> None:
    with running_redis("--unixsocket", f"{tmp_path}/s") as server, redis_client(server.url) as client:
        put_one(**{"redis.uri": f"redis-socket://{tmp_path}/s?database=3"})
        client.select(3)
        assert client.smembers("orders") == {"k"}
        with SourceTaskHarness(RedisKeysSource, {"redis.uri": f"redis-socket://{tmp_path}/s?database=3"}) as run:
            assert run.poll_until(1)[0].key == "orders"
            client.set("changed", 1)
            assert run.poll_until(1)[0].key == "changed"


@pytest.fixture
def guarded() -> Iterator[RedisServer]:
    """Its user `app` may do with keys `orders` what it likes."""
    user = ["--user", "app", "on", ">s3cret", "~orders", "~kconnect:*", "&*", "+@all"]
    with running_redis("--requirepass", "root", *user) as server:
        yield server


def test_a_user_with_a_password(guarded: RedisServer) -> None:
    put_one(**{"redis.uri": guarded.url, "redis.username": "app", "redis.password": "s3cret"})
    put_one(**{"redis.uri": f"redis://app:s3cret@127.0.0.1:{guarded.port}"})
    put_one(**{"redis.uri": guarded.url, "redis.password": "root"})


@pytest.mark.parametrize(
    "login", [{}, {"redis.password": "wr0ng"}, {"redis.username": "app", "redis.password": "wr0ng"}]
)
def test_a_login_that_is_refused_is_told_at_the_start_without_the_password(
    guarded: RedisServer, login: dict[str, str]
) -> None:
    with pytest.raises(ConnectError, match=r"refuses the login: .* redis\.username and redis\.password") as refused:
        put_one(**{"redis.uri": guarded.url, **login})
    assert not isinstance(refused.value, RetriableError)
    assert "wr0ng" not in str(refused.value)


def test_a_password_that_stops_working_fails_the_task_at_its_next_login(guarded: RedisServer) -> None:
    login = {"redis.uri": guarded.url, "redis.username": "app", "redis.password": "s3cret"}
    with sink(**login) as run, redis_client(f"redis://:root@127.0.0.1:{guarded.port}") as client:
        run.put([run.record("v", key="k")])
        client.acl_setuser("app", enabled=True, reset_passwords=True, passwords=["+other"])
        client.client_kill_filter(_type="normal", skipme=True)
        record = run.record("v", key="l")
        with pytest.raises(RetriableError):
            run.put([record])
        with pytest.raises(ConnectError, match="refuses the login") as refused:
            run.put([record])
        assert not isinstance(refused.value, RetriableError)


@pytest.mark.parametrize("mode", [{}, {"redis.multiexec": "true"}, {"redis.exactly.once": "true"}])
def test_what_the_user_may_not_do_is_said(guarded: RedisServer, mode: dict[str, str]) -> None:
    login = {"redis.uri": guarded.url, "redis.username": "app", "redis.password": "s3cret"}
    with sink(**login, **mode, **{"redis.keyspace": "others"}) as run:
        with pytest.raises(ConnectError, match=r"does not allow it: .*\. Grant it by ACL SETUSER") as refused:
            run.put([run.record("v", key="k")])
        assert not isinstance(refused.value, RetriableError)


def test_a_group_that_may_not_be_moved_is_not_said_to_be(guarded: RedisServer) -> None:
    with redis_client(f"redis://:root@127.0.0.1:{guarded.port}") as client:
        client.xgroup_create("orders", "kafka-consumer-group", mkstream=True)
        client.acl_setuser("app", enabled=True, commands=["-xgroup|destroy"])
    props = {
        "redis.uri": guarded.url,
        "redis.username": "app",
        "redis.password": "s3cret",
        "redis.stream.name": "orders",
    }
    with pytest.raises(ConnectError, match="does not allow it"):
        RedisStreamSource().alter_offsets(props, {frozenset(): {"offset": "1-1"}})
    with redis_client(f"redis://:root@127.0.0.1:{guarded.port}") as client:
        client.delete("orders")
        client.acl_setuser("app", enabled=True, commands=["+xgroup|destroy"])
    assert RedisStreamSource().alter_offsets(props, {frozenset(): {"offset": "1-1"}})


def test_a_server_that_does_not_show_its_configuration_is_believed(
    guarded: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_client(f"redis://:root@127.0.0.1:{guarded.port}") as client:
        client.acl_setuser("app", enabled=True, commands=["-config"], keys=["*"])
        with SourceTaskHarness(RedisKeysSource, {"redis.uri": f"redis://app:s3cret@127.0.0.1:{guarded.port}"}) as run:
            run.poll()
            client.set("k", "v")
            assert [record.key for record in run.poll_until(1)] == ["k"]
    assert "does not tell whether notify-keyspace-events is set" in caplog.text


def test_a_listener_finds_out_that_a_silent_server_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "_QUIET_S", 0.0)
    props = {"redis.channels": "c", "redis.timeout": "1"}
    with running_redis() as server, SourceTaskHarness(RedisPubSubSource, props | {"redis.uri": server.url}) as run:
        for _ in range(3):
            assert run.poll() == []  # it answers
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RetriableError, match="does not answer any more"):
                poll_often(run)
        finally:
            os.kill(server.pid, signal.SIGCONT)


def poll_often(run: SourceTaskHarness) -> None:
    for _ in range(20):
        run.poll()


ALL = [
    (RedisStreamSource, {"redis.stream.name": "s"}),
    (RedisKeysSource, {}),
    (RedisPubSubSource, {"redis.channels": "c"}),
    (RedisSink, {}),
]


@pytest.mark.parametrize(("connector", "props"), ALL)
def test_hosts_and_files_that_the_worker_does_not_allow_are_refused(
    connector: Any, props: dict[str, str], tmp_path: Path
) -> None:
    set_bounds(Bounds.from_props({"egress.allow": "db.local:6379", "file.allowed.paths": str(tmp_path)}))
    try:
        assert validation_errors(connector, {**props, "redis.uri": "redis://db.local"}) == {}
        assert (
            "db.local:7000"
            in validation_errors(connector, {**props, "redis.uri": "redis://db.local:7000"})["redis.uri"][0]
        )
        assert "evil" in validation_errors(connector, {**props, "redis.host": "evil"})["redis.host"][0]
        assert "/run/s" in validation_errors(connector, {**props, "redis.uri": "redis-socket:///run/s"})["redis.uri"][0]
        assert "/etc/ca" in validation_errors(connector, {**props, "redis.cacert": "/etc/ca"})["redis.cacert"][0]
        task = connector.task()
        task.context = type("Context", (), {"configs": {}})()
        with pytest.raises(ConfigError, match="evil"):
            task.start(type(task).config_class.parse({**props, "redis.host": "evil"}))
    finally:
        set_bounds(Bounds())


def test_a_server_that_does_not_answer_is_given_up_after_the_time_that_is_set() -> None:
    with running_redis() as server, sink(**{"redis.uri": server.url, "redis.timeout": "1"}) as run:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RetriableError, match="cannot be reached"):
                run.put([run.record("v", key="k")])
        finally:
            os.kill(server.pid, signal.SIGCONT)
        run.put([run.record("v", key="k")])


def test_a_stop_does_not_wait_for_a_server_that_does_not_answer() -> None:
    with running_redis() as server:
        props = {"redis.uri": server.url, "redis.stream.name": "s", "redis.timeout": "3"}
        with SourceTaskHarness(RedisStreamSource, props) as run:
            run.poll()
            os.kill(server.pid, signal.SIGSTOP)
            errors: list[Exception] = []

            def poll() -> None:
                try:
                    run.poll()
                except RetriableError as error:
                    errors.append(error)

            polling = threading.Thread(target=poll)
            polling.start()
            try:
                run.task.stop()
                polling.join(20)
                assert not polling.is_alive()
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert len(errors) == 1
