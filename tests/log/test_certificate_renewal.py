"""Key stores that change while the broker runs."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from kconnect.testing.broker import EmbeddedLog
from kconnect.testing.deadline import Deadline
from kconnect.testing.raw_client import RawClient
from services.certificates import PASSWORD, Authority


def shown_by(log: EmbeddedLog) -> bytes:
    """The certificate that a new client is shown."""
    host, _, port = log.bootstrap_servers.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as sock:
        return sock.getpeercert(binary_form=True) or b""


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate))


@pytest.mark.parametrize("how", ["replaced", "written over"])
def test_new_clients_see_the_renewed_certificate_and_old_ones_stay(tmp_path: Path, how: str) -> None:
    authority = Authority(tmp_path)
    store = tmp_path / "store.p12"
    store.write_bytes(authority.issue("first").pkcs12.read_bytes())
    settings = {
        "listeners": "SSL://127.0.0.1:0",
        "ssl.keystore.location": str(store),
        "ssl.keystore.password": PASSWORD,
    }
    with EmbeddedLog(tmp_path / "data", settings=settings) as log:
        before = shown_by(log)
        with RawClient(log.bootstrap_servers, tls=trusting(authority)) as old_client:
            renewed = authority.issue("second").pkcs12.read_bytes()
            if how == "replaced":
                (tmp_path / "new.p12").write_bytes(renewed)
                (tmp_path / "new.p12").replace(store)
            else:
                store.write_bytes(renewed)
            deadline = Deadline(30)
            while shown_by(log) == before:
                deadline.check("the new certificate is shown")
            old_client.create_topic()
        with RawClient(log.bootstrap_servers, tls=trusting(authority)) as new_client:
            new_client.create_topic("other")


def test_a_store_that_cannot_be_used_changes_nothing_and_is_told_of_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    store = tmp_path / "store.p12"
    sound = authority.issue("broker").pkcs12.read_bytes()
    store.write_bytes(sound)
    settings = {
        "listeners": "SSL://127.0.0.1:0",
        "ssl.keystore.location": str(store),
        "ssl.keystore.password": PASSWORD,
    }
    with EmbeddedLog(tmp_path / "data", settings=settings) as log:
        before = shown_by(log)
        store.write_bytes(sound[: len(sound) // 2])
        deadline = Deadline(30)
        while "the old certificates go on" not in log.stderr:
            deadline.check("the broken store is told of")
        assert shown_by(log) == before
        store.unlink()
        while log.stderr.count("the old certificates go on") < 2:
            deadline.check("the missing store is told of")
        assert str(store) in log.stderr
        assert PASSWORD not in log.stderr
        assert shown_by(log) == before
        store.write_bytes(authority.issue("another").pkcs12.read_bytes())
        while shown_by(log) == before:
            deadline.check("a sound store is used again")
        assert log.stderr.count("the old certificates go on") == 2
