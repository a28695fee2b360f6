"""Listeners by Kafka's keys, and a word about every one that cannot be."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from kconnect.log.errors import ListenerError
from kconnect.log.listener import Endpoint, Listener, SecurityProtocol
from kconnect.log.listener_properties import is_listener_key, read_listeners
from kconnect.security.scram import ScramMechanism
from services.certificates import PASSWORD, Authority, Identity

_VECTORS = Path(__file__).parent.parent / "connect" / "kafka" / "vectors"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
_SSL, _SASL = "SSL://127.0.0.1:0", "SASL_PLAINTEXT://127.0.0.1:0"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue("broker")


def test_without_a_word_it_is_the_loopback_in_the_clear() -> None:
    assert read_listeners({}) == (Listener(host="127.0.0.1", port=9092),)


def test_each_listener_has_its_own_settings_before_those_of_all() -> None:
    inner, outer = read_listeners(
        {
            "listeners": "INNER://[::1]:9092, outer://:9093",
            "advertised.listeners": "OUTER://kafka.example.com:443",
            "listener.security.protocol.map": "INNER:SASL_PLAINTEXT,OUTER:SASL_PLAINTEXT",
            "sasl.jaas.config": f'{_PLAIN} user_alice="of alice" user_bob="two;\\" three";',
            "listener.name.outer.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "connections.max.reauth.ms": "1500",
        }
    )
    assert (inner.host, inner.port, outer.host, outer.port) == ("::1", 9092, "", 9093)
    assert inner.protocol is outer.protocol is SecurityProtocol.SASL_PLAINTEXT
    assert outer.advertised(Endpoint("10.0.0.1", 9093)) == Endpoint("kafka.example.com", 443)
    assert inner.sasl is not None
    assert outer.sasl is not None
    assert inner.sasl.plain_users == {"alice": "of alice", "bob": 'two;" three'}
    assert inner.sasl.scram_mechanisms == set(ScramMechanism)
    assert (outer.sasl.plain_users, outer.sasl.scram_mechanisms) == (None, {ScramMechanism.SHA_512})
    assert inner.sasl.session_lifetime == 1.5
    assert "of alice" not in repr(inner)


def keys_of(identity: Identity, kind: str) -> dict[str, str]:
    chain = {"ssl.keystore.certificate.chain": identity.chain}
    vectors = {"ssl.keystore.password": "storepass", "ssl.key.password": "keypass123"}
    return {
        "PEM file": {"ssl.keystore.location": str(identity.pem), "ssl.keystore.type": "PEM"},
        "PKCS12": {"ssl.keystore.location": str(identity.pkcs12), "ssl.keystore.password": PASSWORD},
        "JKS": {"ssl.keystore.location": str(_VECTORS / "keystore.jks"), **vectors},
        "PEM": {**chain, "ssl.keystore.key": identity.key},
        "encrypted PEM": {**chain, "ssl.keystore.key": identity.encrypted_key, "ssl.key.password": PASSWORD},
    }[kind]


@pytest.mark.parametrize("kind", ["PEM file", "PKCS12", "JKS", "PEM", "encrypted PEM"])
def test_a_key_may_come_in_any_form(identity: Identity, kind: str) -> None:
    [listener] = read_listeners({"listeners": _SSL, **keys_of(identity, kind)})
    assert listener.tls is not None
    assert listener.tls.context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("asked", "mode"), [("none", ssl.CERT_NONE), ("requested", ssl.CERT_OPTIONAL), ("REQUIRED", ssl.CERT_REQUIRED)]
)
@pytest.mark.parametrize("inline", [False, True])
def test_certificates_of_clients_are_asked_for(
    authority: Authority, identity: Identity, asked: str, mode: ssl.VerifyMode, inline: bool
) -> None:
    location, pem = str(authority.certificate), authority.certificate.read_text()
    trust = {"ssl.truststore.certificates": pem} if inline else {"ssl.truststore.location": location}
    props = {"listeners": _SSL, "ssl.client.auth": asked, **keys_of(identity, "PEM"), **trust}
    [listener] = read_listeners(props)
    assert listener.tls is not None
    assert listener.tls.context.verify_mode is mode


def test_versions_of_tls_are_those_asked_for(identity: Identity) -> None:
    props = {"listeners": _SSL, **keys_of(identity, "PEM"), "ssl.enabled.protocols": "TLSv1.2"}
    [listener] = read_listeners(props | {"ssl.cipher.suites": "ECDHE-ECDSA-AES256-GCM-SHA384"})
    assert listener.tls is not None
    assert listener.tls.context.maximum_version is ssl.TLSVersion.TLSv1_2
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in {suite["name"] for suite in listener.tls.context.get_ciphers()}
    assert "ECDHE-RSA-AES128-GCM-SHA256" not in {suite["name"] for suite in listener.tls.context.get_ciphers()}


@pytest.mark.parametrize(
    ("props", "said"),
    [
        ({"listeners": "TLS://127.0.0.1:0"}, "listener.security.protocol.map=TLS:PROTOCOL"),
        ({"listeners": "PLAINTEXT://127.0.0.1:1,PLAINTEXT://127.0.0.1:2"}, "listeners names one listener twice"),
        ({"listeners": "PLAINTEXT://:7,SSL://:7"}, "two listeners have one port"),
        ({"advertised.listeners": "SSL://h:1"}, "advertised.listeners names SSL"),
        ({"advertised.listeners": "PLAINTEXT://0.0.0.0:1"}, "advertised.listeners='PLAINTEXT://0.0.0.0:1'"),
        ({"listener.security.protocol.map": "A=SSL"}, "listener.security.protocol.map='A=SSL'"),
        ({"listener.security.protocol.map": "A:TLS"}, "listener.security.protocol.map='A:TLS'"),
        ({"listener.name.inner.ssl.keystore.location": "x"}, "there is no listener 'inner'"),
        ({"listeners": _SSL}, "ssl.keystore.location is needed"),
        ({"listeners": _SSL, "ssl.keystore.location": "/nowhere"}, "ssl.keystore.location='/nowhere' cannot be read"),
        ({"listeners": _SSL, "ssl.keystore.location": __file__}, "neither PEM, PKCS12 nor JKS"),
        ({"listeners": _SSL, "ssl.keystore.location": "{pkcs12}"}, "ssl.keystore.location="),
        (
            {"listeners": _SSL, "ssl.keystore.location": "{ca}"},
            "ssl.keystore.location: there is no readable",
        ),
        ({"listeners": _SSL, "ssl.keystore.location": "{pem}", "ssl.keystore.type": "BKS"}, "ssl.keystore.type='BKS'"),
        ({"listeners": _SSL, "ssl.keystore.key": "{key}"}, "ssl.keystore.certificate.chain is needed"),
        ({"listeners": _SSL, "ssl.keystore.certificate.chain": "x"}, "ssl.keystore.key is needed"),
        (
            {"listeners": _SSL, "ssl.keystore.key": "{other}", "ssl.keystore.certificate.chain": "{chain}"},
            "ssl.keystore.key: the private key does not belong",
        ),
        (
            {
                "listeners": _SSL,
                "ssl.keystore.key": "{encrypted}",
                "ssl.keystore.certificate.chain": "{chain}",
                "ssl.key.password": "guessed",
            },
            "ssl.key.password: ",
        ),
        (
            {"listeners": _SSL, "ssl.keystore.key": "{encrypted}", "ssl.keystore.certificate.chain": "{chain}"},
            "ssl.key.password: ",
        ),
        ({"listeners": _SSL, "ssl.keystore.location": "{pem}", "ssl.client.auth": "maybe"}, "ssl.client.auth='maybe'"),
        (
            {"listeners": _SSL, "ssl.keystore.location": "{pem}", "ssl.client.auth": "required"},
            "ssl.truststore.location is needed",
        ),
        ({"listeners": _SSL, "ssl.enabled.protocols": "TLSv1"}, "ssl.enabled.protocols='TLSv1'"),
        ({"listeners": _SSL, "ssl.cipher.suites": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}, "ssl.cipher.suites="),
        ({"listeners": _SASL, "sasl.enabled.mechanisms": "GSSAPI"}, "sasl.enabled.mechanisms='GSSAPI'"),
        ({"listeners": _SASL, "sasl.enabled.mechanisms": "PLAIN"}, "sasl.jaas.config names no user for PLAIN"),
        ({"listeners": _SASL, "sasl.jaas.config": "alice=secret-thing"}, "sasl.jaas.config: not a JAAS entry"),
        ({"listeners": _SASL, "sasl.jaas.config": f'{_PLAIN} user_a="secret-thing"'}, "a semicolon ends the entry"),
        ({"listeners": _SASL, "sasl.jaas.config": "com.sun.Krb5LoginModule required;"}, "is not served"),
        ({"listeners": _SASL, "connections.max.reauth.ms": "soon"}, "connections.max.reauth.ms='soon'"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(
    authority: Authority, identity: Identity, props: dict[str, str], said: str
) -> None:
    values = {
        "pkcs12": identity.pkcs12,
        "pem": identity.pem,
        "ca": authority.certificate,
        "key": identity.key,
        "other": authority.issue("other").key,
        "encrypted": identity.encrypted_key,
        "chain": identity.chain,
    }
    filled = {key: value.format(**values) if "{" in value else value for key, value in props.items()}
    with pytest.raises(ListenerError) as refusal:
        read_listeners(filled)
    assert said in str(refusal.value)
    assert "secret-thing" not in str(refusal.value)
    assert "PRIVATE KEY" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("listeners", True),
        ("ssl.keystore.location", True),
        ("listener.name.x.ssl.keystore.location", True),
        ("listener.name.x.scram-sha-256.sasl.jaas.config", True),
        ("listener.name.x.listeners", False),
        ("ssl.keystore.locatoin", False),
    ],
)
def test_slips_are_told_from_keys(name: str, known: bool) -> None:
    assert is_listener_key(name) is known


@pytest.mark.parametrize(
    ("listener", "props", "said"),
    [
        ("PLAINTEXT://127.0.0.1:0", {}, None),
        ("PLAINTEXT://0.0.0.0:0", {}, "there is no authentication"),
        ("PLAINTEXT://:0", {}, "there is no authentication"),
        ("SSL://192.0.2.1:0", {}, "there is no authentication"),
        ("SSL://192.0.2.1:0", {"ssl.client.auth": "required"}, None),
        ("SASL_PLAINTEXT://192.0.2.1:0", {}, "there is no encryption"),
        ("SASL_SSL://192.0.2.1:0", {}, None),
    ],
)
def test_what_strangers_can_do_is_said(
    authority: Authority, identity: Identity, listener: str, props: dict[str, Any], said: str | None
) -> None:
    keys = {**keys_of(identity, "PEM"), "ssl.truststore.location": str(authority.certificate)}
    exposure = read_listeners({"listeners": listener, **keys, **props})[0].exposure
    assert (exposure is None) is (said is None)
    assert said is None or said in str(exposure)
