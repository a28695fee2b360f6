"""The security of our own client by Java's settings, and a word for what it cannot do."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kconnect.errors import ConfigError
from kconnect.kafka.security import Security
from services.certificates import PASSWORD, Authority, Identity

_VECTORS = Path(__file__).parent / "vectors"
_SECURITY = "org.apache.kafka.common.security"
_OAUTH = f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule required"
_SASL = {"security.protocol": "SASL_PLAINTEXT"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return authority.issue("client")


def test_without_a_word_nothing_is_secured() -> None:
    assert Security.of({}) == Security()


@pytest.mark.parametrize("store", ["pem", "pkcs12", "jks", "inline"])
def test_keys_come_in_any_form(identity: Identity, store: str) -> None:
    props = {
        "pem": {"ssl.keystore.location": str(identity.pem)},
        "pkcs12": {"ssl.keystore.location": str(identity.pkcs12), "ssl.keystore.password": PASSWORD},
        "jks": {
            "ssl.keystore.location": str(_VECTORS / "keystore.jks"),
            "ssl.keystore.password": "storepass",
            "ssl.key.password": "keypass123",
        },
        "inline": {
            "ssl.keystore.key": identity.encrypted_key,
            "ssl.keystore.certificate.chain": identity.chain,
            "ssl.key.password": PASSWORD,
        },
    }[store]
    security = Security.of({"security.protocol": "SSL", **props})
    assert security.tls is not None
    assert (security.tls.verify_mode, security.tls.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("name", ["truststore.jks", "truststore.p12", "certificate.pem"])
def test_a_trust_store_alone_is_trusted(name: str) -> None:
    props = {"ssl.truststore.location": str(_VECTORS / name), "ssl.truststore.password": "storepass"}
    security = Security.of({"security.protocol": "ssl", **props, "ssl.endpoint.identification.algorithm": ""})
    assert security.tls is not None
    assert security.tls.cert_store_stats()["x509"] == 1
    assert not security.tls.check_hostname


@pytest.mark.parametrize(
    ("props", "key"),
    [
        ({"security.protocol": "TLS"}, "security.protocol"),
        ({"security.protocol": "SSL", "ssl.truststore.location": "/nowhere"}, "ssl.truststore.location"),
        ({"security.protocol": "SSL", "ssl.keystore.location": "{ca}"}, "ssl.keystore.location"),
        ({"security.protocol": "SSL", "ssl.keystore.location": "{pkcs12}"}, "ssl.keystore.location"),
        ({"security.protocol": "SSL", "ssl.keystore.key": "{key}"}, "ssl.keystore.certificate.chain"),
        (
            {
                "security.protocol": "SSL",
                "ssl.keystore.key": "{encrypted}",
                "ssl.keystore.certificate.chain": "{chain}",
                "ssl.key.password": "guessed",
            },
            "ssl.key.password",
        ),
        ({"security.protocol": "SSL", "ssl.cipher.suites": "NO-SUCH-SUITE"}, "ssl.cipher.suites"),
        (_SASL, "sasl.mechanism"),
        ({**_SASL, "sasl.mechanism": "GSSAPI"}, "sasl.mechanism"),
        ({**_SASL, "sasl.mechanism": "PLAIN"}, "sasl.jaas.config"),
        ({**_SASL, "sasl.mechanism": "OAUTHBEARER"}, "sasl.oauthbearer.token.endpoint.url"),
        (
            {
                **_SASL,
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1/",
                "sasl.jaas.config": f'{_OAUTH} clientId="x";',
            },
            "sasl.jaas.config",
        ),
        (
            {
                **_SASL,
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.token.endpoint.url": "http://127.0.0.1/",
                "sasl.oauthbearer.jwt.retriever.class": f"{_SECURITY}.oauthbearer.JwtBearerJwtRetriever",
                "sasl.jaas.config": f'{_OAUTH} clientId="x" clientSecret="y";',
            },
            "sasl.oauthbearer.jwt.retriever.class",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(
    authority: Authority, identity: Identity, props: dict[str, str], key: str
) -> None:
    values = {
        "ca": authority.certificate,
        "pkcs12": identity.pkcs12,
        "key": identity.key,
        "encrypted": identity.encrypted_key,
        "chain": identity.chain,
    }
    filled = {name: value.format(**values) if "{" in value else value for name, value in props.items()}
    with pytest.raises(ConfigError) as refusal:
        Security.of(filled)
    assert refusal.value.key == key
    assert "PRIVATE KEY" not in str(refusal.value)
