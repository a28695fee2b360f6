"""JAAS login modules in Java's words."""

from __future__ import annotations

import pytest

from kconnect.kafka import admin
from kconnect.kafka.settings import check, translate

SECURITY = "org.apache.kafka.common.security."


def jaas(entry: str) -> dict[str, str]:
    return translate({"sasl.jaas.config": entry}, "admin")


@pytest.mark.parametrize("module", ["plain.PlainLoginModule", "scram.ScramLoginModule"])
@pytest.mark.parametrize(
    ("options", "username", "password"),
    [
        ('username="alice" password="s3cret"', "alice", "s3cret"),
        ("username='alice' password='s3;c=\"ret'", "alice", 's3;c="ret'),
        ('\n  password="a \\"quoted\\" \\\\ word"\n  username="bob"', "bob", 'a "quoted" \\ word'),
        ("username=plain password=word", "plain", "word"),
        ('username = "" password=""', "", ""),
    ],
)
def test_names_and_passwords_are_read(module: str, options: str, username: str, password: str) -> None:
    config = jaas(f"{SECURITY}{module} required {options};")
    assert config["sasl.username"] == username
    assert config["sasl.password"] == password


def test_client_credentials_become_oidc() -> None:
    config = translate(
        {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.jaas.config": f'{SECURITY}oauthbearer.OAuthBearerLoginModule required clientId="me" '
            'clientSecret="x" scope="kafka" extension_logicalCluster="lkc-1";',
            "sasl.oauthbearer.token.endpoint.url": "https://login.example.com/token",
            "sasl.login.callback.handler.class": f"{SECURITY}oauthbearer.OAuthBearerLoginCallbackHandler",
        },
        "admin",
    )
    assert config == {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "me",
        "sasl.oauthbearer.client.secret": "x",
        "sasl.oauthbearer.scope": "kafka",
        "sasl.oauthbearer.extensions": "logicalCluster=lkc-1",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example.com/token",
    }


def test_an_unsecured_token_is_for_development() -> None:
    config = jaas(f'{SECURITY}oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="dev";')
    assert config["enable.sasl.oauthbearer.unsecure.jwt"] == "true"
    assert "principal=dev" in config["sasl.oauthbearer.config"]


def test_a_keytab_is_handed_on() -> None:
    config = jaas(
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true "
        'keyTab="/etc/kafka.keytab" principal="connect@EXAMPLE.COM";'
    )
    assert config == {
        "sasl.kerberos.keytab": "/etc/kafka.keytab",
        "sasl.kerberos.principal": "connect@EXAMPLE.COM",
    }


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("", "not a JAAS entry"),
        ("username=alice", "not a JAAS entry"),
        (f'{SECURITY}plain.PlainLoginModule required username="alice" password="hush"', "semicolon"),
        (f'{SECURITY}plain.PlainLoginModule required username="alice" password="hush;', "cannot be read"),
        (f'{SECURITY}plain.PlainLoginModule required username="alice";', "needs password"),
        ('com.sun.security.auth.module.JndiLoginModule required password="hush";', "JndiLoginModule"),
    ],
)
def test_a_bad_entry_is_refused_and_its_secrets_do_not_show(entry: str, says: str) -> None:
    (error,) = check({"sasl.jaas.config": entry}, "admin")
    assert says in str(error)
    assert "hush" not in str(error)
    assert error.value is None


def test_librdkafka_takes_scram() -> None:
    admin(
        {
            "bootstrap.servers": "127.0.0.1:1",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.jaas.config": f'{SECURITY}scram.ScramLoginModule required username="u" password="p";',
        }
    )
