"""SASL settings: JAAS login modules and OAuth classes in Java's words, turned into librdkafka's."""

from __future__ import annotations

from kconnect.errors import ConfigError
from kconnect.kafka.rules import Props
from kconnect.security.jaas import (
    KERBEROS_MODULE,
    OAUTHBEARER_MODULE,
    PLAIN_MODULE,
    SCRAM_MODULE,
    JaasError,
    parse,
)

_SECURITY = "org.apache.kafka.common.security."
_MODULES = {
    PLAIN_MODULE: "PLAIN",
    SCRAM_MODULE: "SCRAM",
    OAUTHBEARER_MODULE: "OAUTHBEARER",
    KERBEROS_MODULE: "GSSAPI",
}
_OAUTH_HANDLERS = {
    _SECURITY + "oauthbearer.OAuthBearerLoginCallbackHandler",
    _SECURITY + "oauthbearer.secured.OAuthBearerLoginCallbackHandler",
}
_RETRIEVERS = {
    _SECURITY + "oauthbearer.DefaultJwtRetriever": {},
    _SECURITY + "oauthbearer.ClientCredentialsJwtRetriever": {},
    _SECURITY + "oauthbearer.JwtBearerJwtRetriever": {
        "sasl.oauthbearer.grant.type": "urn:ietf:params:oauth:grant-type:jwt-bearer"
    },
}


def jaas(key: str, value: str, props: Props) -> dict[str, str]:
    """`sasl.jaas.config`: `<login module> required <option>="<value>" …;`. Its value is never in an error."""
    module, options = _parse(key, value)
    if module == "GSSAPI":
        return _kerberos(options)
    if module == "OAUTHBEARER":
        return _oauth(options)
    missing = {"username", "password"} - options.keys()
    if missing:
        raise ConfigError(f"the login module needs {' and '.join(sorted(missing))}", key=key)
    return {"sasl.username": options["username"], "sasl.password": options["password"]}


def _parse(key: str, value: str) -> tuple[str, dict[str, str]]:
    try:
        entry = parse(value)
    except JaasError as error:
        raise ConfigError(error.reason, key=key, suggestion=error.suggestion) from error
    module = _MODULES.get(entry.module)
    if module is None:
        raise ConfigError(
            f"librdkafka has no counterpart of the login module {entry.module}",
            key=key,
            suggestion="one of " + ", ".join(_MODULES),
        )
    return module, entry.options


def _kerberos(options: dict[str, str]) -> dict[str, str]:
    names = {
        "keyTab": "sasl.kerberos.keytab",
        "principal": "sasl.kerberos.principal",
        "serviceName": "sasl.kerberos.service.name",
    }
    return {name: options[option] for option, name in names.items() if option in options}


def _oauth(options: dict[str, str]) -> dict[str, str]:
    """Client credentials, or Kafka's unsecured token for development (`unsecuredLoginStringClaim_sub`)."""
    subject = options.get("unsecuredLoginStringClaim_sub")
    if subject is not None:
        return {
            "enable.sasl.oauthbearer.unsecure.jwt": "true",
            "sasl.oauthbearer.config": f"principalClaimName=sub principal={subject}",
        }
    names = {
        "clientId": "sasl.oauthbearer.client.id",
        "clientSecret": "sasl.oauthbearer.client.secret",
        "scope": "sasl.oauthbearer.scope",
    }
    config = {name: options[option] for option, name in names.items() if option in options}
    prefix = "extension_"
    extensions = [f"{name.removeprefix(prefix)}={value}" for name, value in options.items() if name.startswith(prefix)]
    if extensions:
        config["sasl.oauthbearer.extensions"] = ",".join(extensions)
    return config


def token_endpoint(key: str, value: str, props: Props) -> dict[str, str]:
    """Where tokens are fetched; only http(s) can be."""
    if not value.startswith(("https://", "http://")):
        raise ConfigError("librdkafka fetches tokens by HTTP only", key=key, value=value)
    return {"sasl.oauthbearer.method": "oidc", key: value}


def login_callback_handler(key: str, value: str, props: Props) -> dict[str, str]:
    """Kafka's own handler for OAUTHBEARER is what librdkafka does by itself."""
    if value and value not in _OAUTH_HANDLERS:
        raise ConfigError(
            "it names a Java class, and there is no Java here", key=key, value=value, suggestion="remove it"
        )
    return {}


def jwt_retriever(key: str, value: str, props: Props) -> dict[str, str]:
    if value and value not in _RETRIEVERS:
        raise ConfigError(
            "librdkafka cannot fetch tokens this way",
            key=key,
            value=value,
            suggestion="one of " + ", ".join(_RETRIEVERS),
        )
    return dict(_RETRIEVERS.get(value, {}))
