"""Java key and trust stores. The stores in vectors/ were made by keytool, all of one key and its certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kconnect.errors import ConfigError
from kconnect.kafka import admin
from kconnect.kafka.settings import check, translate

VECTORS = Path(__file__).parent / "vectors"
CERTIFICATE = (VECTORS / "certificate.pem").read_text()
STORE_PASSWORD = "storepass"
KEY_PASSWORD = "keypass123"
BROKER = {"bootstrap.servers": "127.0.0.1:1", "security.protocol": "SSL"}


def store(kind: str, name: str, **settings: str) -> dict[str, str]:
    """Settings for one of the stores in vectors/: `key` or `trust`."""
    return {f"ssl.{kind}store.location": str(VECTORS / name), f"ssl.{kind}store.password": STORE_PASSWORD, **settings}


def same_certificate(pem: str) -> bool:
    return ssl.PEM_cert_to_DER_cert(pem) == ssl.PEM_cert_to_DER_cert(CERTIFICATE)


@pytest.mark.parametrize("name", ["truststore.jks", "truststore.p12"])
def test_a_trust_store_becomes_pem(name: str) -> None:
    config = translate({**BROKER, **store("trust", name)}, "admin")
    assert same_certificate(config["ssl.ca.pem"])
    admin(BROKER | store("trust", name))


def test_a_pem_trust_store_is_handed_on() -> None:
    config = translate(store("trust", "certificate.pem"), "admin")
    assert config == {"ssl.ca.location": str(VECTORS / "certificate.pem")}


def test_a_jks_trust_store_opens_without_a_password() -> None:
    config = translate({"ssl.truststore.location": str(VECTORS / "truststore.jks")}, "admin")
    assert same_certificate(config["ssl.ca.pem"])


def test_a_jks_key_store_becomes_a_key_and_its_chain() -> None:
    props = {**BROKER, **store("key", "keystore.jks"), "ssl.key.password": KEY_PASSWORD}
    config = translate(props, "admin")
    assert same_certificate(config["ssl.certificate.pem"])
    key = load_pem_private_key(config["ssl.key.pem"].encode(), None)
    assert key.public_key() == x509.load_pem_x509_certificate(CERTIFICATE.encode()).public_key()
    admin(props)


def test_a_pkcs12_key_store_is_handed_on() -> None:
    config = translate({**BROKER, **store("key", "keystore.p12")}, "admin")
    assert config["ssl.keystore.location"] == str(VECTORS / "keystore.p12")
    assert config["ssl.keystore.password"] == STORE_PASSWORD
    admin(BROKER | store("key", "keystore.p12"))


def test_a_pem_key_store_holds_key_and_chain() -> None:
    path = str(VECTORS / "certificate.pem")
    config = translate({"ssl.keystore.location": path, "ssl.key.password": "x"}, "admin")
    assert config == {"ssl.key.location": path, "ssl.certificate.location": path, "ssl.key.password": "x"}


def test_pem_in_the_settings_themselves() -> None:
    config = translate(
        {
            "ssl.truststore.certificates": "CA",
            "ssl.keystore.certificate.chain": "CHAIN",
            "ssl.keystore.key": "KEY",
            "ssl.key.password": "x",
        },
        "admin",
    )
    assert config == {
        "ssl.ca.pem": "CA",
        "ssl.certificate.pem": "CHAIN",
        "ssl.key.pem": "KEY",
        "ssl.key.password": "x",
    }


@pytest.mark.parametrize(
    ("props", "key"),
    [
        (store("trust", "truststore.jks", **{"ssl.truststore.password": "wrong"}), "ssl.truststore.location"),
        (store("trust", "truststore.p12", **{"ssl.truststore.password": "wrong"}), "ssl.truststore.location"),
        (store("key", "keystore.jks", **{"ssl.keystore.password": "wrong"}), "ssl.keystore.location"),
        (store("key", "keystore.jks", **{"ssl.key.password": "wrong"}), "ssl.key.password"),
        (store("key", "truststore.jks"), "ssl.keystore.location"),
        (store("trust", "keystore.jks"), "ssl.truststore.location"),
        (store("trust", "java_client_keys.tsv"), "ssl.truststore.location"),
    ],
)
def test_a_store_that_does_not_open_is_refused(props: dict[str, str], key: str) -> None:
    (error,) = check(props, "admin")
    assert error.key == key
    assert STORE_PASSWORD not in str(error)


@pytest.mark.parametrize("size", range(0, 516, 43))
def test_a_damaged_store_is_refused(tmp_path: Path, size: int) -> None:
    damaged = tmp_path / "store.jks"
    damaged.write_bytes((VECTORS / "keystore.jks").read_bytes()[:size])
    with pytest.raises(ConfigError):
        translate({"ssl.keystore.location": str(damaged)}, "admin")


def test_an_empty_algorithm_turns_the_check_of_host_names_off() -> None:
    key = "ssl.endpoint.identification.algorithm"
    assert translate({key: ""}, "admin")[key] == "none"
    assert translate({key: "HTTPS"}, "admin")[key] == "https"
