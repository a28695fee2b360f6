"""Logins, TLS, bounds: how connectors get to MongoDB, and what they say when they do not."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kconnect import ConfigError, ConnectError, RetriableError
from kconnect.bounds import Bounds, set_bounds
from kconnect.testing.conformance import validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_mongodb.sink import MongoSink
from kconnect_mongodb.source import MongoSource
from services.certificates import PASSWORD, Authority
from services.mongodb import MongoServer, mongo_client, running_mongodb
from services.processes import free_ports

pytestmark = pytest.mark.needs("mongodb-server")

QUICK = "&serverSelectionTimeoutMS=300"
WATCHED = {"database": "shop", "collection": "orders"}


def sink(uri: str, **props: str) -> SinkTaskHarness:
    return SinkTaskHarness(MongoSink, {"name": "test", "connection.uri": uri, "topics": "orders", **WATCHED, **props})


def put_one(uri: str, **props: str) -> None:
    with sink(uri, **props) as run:
        run.put([run.record({"_id": 1})])


def polling(uri: str) -> SourceTaskHarness:
    return SourceTaskHarness(MongoSource, {"connection.uri": uri, "polling.field": "_id", **WATCHED})


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    with running_mongodb() as running:
        yield running


def test_a_wrong_password_is_told_at_the_start_and_not_shown() -> None:
    options = ["--setup-database=admin", "--setup-username=app", "--setup-password=good", "--test-enable-new-auth"]
    with running_mongodb(*options) as server:
        host = f"127.0.0.1:{server.port}/?directConnection=true"
        put_one(f"mongodb://app:good@{host}")
        for user in ("app:tops3cret", "nobody:tops3cret"):
            for run in (sink(f"mongodb://{user}@{host}"), polling(f"mongodb://{user}@{host}")):
                with pytest.raises(ConnectError, match="refuses the login") as refused, run:
                    pass
                assert not isinstance(refused.value, RetriableError)
                assert "tops3cret" not in str(refused.value)
        with pytest.raises(ConnectError, match="does not allow it"):
            put_one(f"mongodb://{host}")


def test_tls_believes_whom_it_is_told_to_and_logs_in_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, client = authority.issue("server"), authority.issue("client")
    [port] = free_ports(1)
    files = {"cert": own.pem, "key": own.pem, "ca": authority.certificate}
    options = [f"--listen-tls-{name}-file={path}" for name, path in files.items()]
    with running_mongodb(f"--listen-tls=127.0.0.1:{port}", *options):
        uri = f"mongodb://localhost:{port}/?tls=true&directConnection=true{QUICK}"
        trust = {"connection.ssl.truststore": str(authority.certificate)}
        login = {"connection.ssl.keystore": str(client.pkcs12), "connection.ssl.keystorePassword": PASSWORD}
        put_one(uri, **trust, **login)
        put_one(uri, **trust, **{"connection.ssl.keystore": str(client.pem)})
        with pytest.raises(ConnectError, match=r"is not believed: .*connection\.ssl\.truststore") as refused:
            put_one(uri, **login)
        assert not isinstance(refused.value, RetriableError)
        with pytest.raises(RetriableError, match="cannot be reached"):
            put_one(uri, **trust)
        with pytest.raises(ConfigError, match=r"connection\.ssl\.keystore: .*cannot be opened"):
            put_one(uri, **trust, **login | {"connection.ssl.keystorePassword": "wrong"})


def test_a_server_that_is_not_there_is_waited_for() -> None:
    [port] = free_ports(1)
    uri = f"mongodb://127.0.0.1:{port}/?directConnection=true{QUICK}"
    with sink(uri) as run, pytest.raises(RetriableError, match=f"127.0.0.1:{port} cannot be reached"):
        run.put([run.record({"_id": 1})])
    with polling(uri) as reading, pytest.raises(RetriableError, match="cannot be reached"):
        reading.poll()


def test_what_was_put_while_the_server_was_away_is_written_once_when_it_is_back() -> None:
    with running_mongodb() as server:
        inserts = {"writemodel.strategy": "InsertOneDefaultStrategy", "max.batch.size": "2"}
        with sink(server.url + QUICK, **inserts) as run, polling(server.url + QUICK) as reading:
            run.put([run.record({"n": 0})])
            server.kill()
            records = [run.record({"n": n}) for n in range(1, 6)]
            with pytest.raises(RetriableError):
                run.put(records)
            with pytest.raises(RetriableError):
                reading.poll()
            server.start()
            run.put_until_done(records)
            with mongo_client(server.url) as client:
                assert sorted(each["n"] for each in client.shop.orders.find()) == list(range(6))


def test_a_batch_that_was_written_though_its_answer_was_lost_is_not_written_twice(server: MongoServer) -> None:
    """The `_id`s are made up: they are those of the first try."""
    from pymongo.collection import Collection
    from pymongo.errors import AutoReconnect

    original = Collection.bulk_write

    def written_and_lost(self: Any, *args: Any, **more: Any) -> Any:
        original(self, *args, **more)
        raise AutoReconnect("connection closed")

    with sink(server.url, **{"writemodel.strategy": "InsertOneDefaultStrategy", "collection": "once"}) as run:
        records = [run.record({"n": n}) for n in range(5)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Collection, "bulk_write", written_and_lost)
            with pytest.raises(RetriableError):
                run.put(records)
        run.put(records)
    with mongo_client(server.url) as client:
        assert sorted(each["n"] for each in client.shop.once.find()) == list(range(5))


def test_a_stop_does_not_wait_for_a_server_that_does_not_answer() -> None:
    with running_mongodb() as server, polling(f"{server.url}&socketTimeoutMS=3000") as run:
        run.poll()
        os.kill(server.pid, signal.SIGSTOP)
        polled = threading.Thread(target=lambda: _ignoring(run))
        polled.start()
        try:
            began = time.monotonic()
            run.task.stop()
            polled.join(20)
            assert not polled.is_alive(), f"{time.monotonic() - began:.1f} s"
        finally:
            os.kill(server.pid, signal.SIGCONT)


def _ignoring(run: SourceTaskHarness) -> None:
    with contextlib.suppress(RetriableError):
        run.poll()


@pytest.mark.parametrize("connector", [MongoSink, MongoSource])
def test_hosts_and_files_that_the_worker_does_not_allow_are_refused(connector: Any, tmp_path: Path) -> None:
    props = {**WATCHED, "topics": "orders"}
    set_bounds(Bounds.from_props({"egress.allow": "db.local:27017,*.cluster.net", "file.allowed.paths": str(tmp_path)}))
    try:
        assert validation_errors(connector, props | {"connection.uri": "mongodb://db.local"}) == {}
        assert validation_errors(connector, props | {"connection.uri": "mongodb+srv://a.cluster.net"}) == {}
        for uri, named in (
            ("mongodb://db.local,evil", "evil:27017"),
            ("mongodb://db.local:27018", "db.local:27018"),
            ("mongodb+srv://a.evil.net", "a.evil.net"),
            ("mongodb://%2Frun%2Fmongo.sock", "/run/mongo.sock"),
            ("mongodb://db.local/?tls=true&tlsCAFile=/etc/ca.pem", "/etc/ca.pem"),
        ):
            assert named in validation_errors(connector, props | {"connection.uri": uri})["connection.uri"][0]
        stores = validation_errors(
            connector, props | {"connection.uri": "mongodb://db.local", "connection.ssl.keystore": "/etc/key.p12"}
        )
        assert "/etc/key.p12" in stores["connection.ssl.keystore"][0]
    finally:
        set_bounds(Bounds())


def test_stores_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    for key in ("connection.ssl.truststore", "connection.ssl.keystore"):
        with pytest.raises(ConfigError, match=f"{key}: .*none.pem cannot be read"):
            put_one("mongodb://127.0.0.1:1/?tls=true", **{key: str(tmp_path / "none.pem")})
        with pytest.raises(ConfigError, match=f"{key}: .*junk"):
            put_one("mongodb://127.0.0.1:1/?tls=true", **{key: str(tmp_path / "junk")})
