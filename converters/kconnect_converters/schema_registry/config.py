"""The settings by which converters reach and use a schema registry."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

from kconnect.config import HIGH, LOW, MEDIUM, Config, ConfigError, Password, Range, key
from kconnect.validators import NonEmptyString
from kconnect_converters.schema_registry.registry_url import RegistryUrl
from kconnect_converters.schema_registry.subjects import STRATEGIES, subject_strategy

_STRATEGY_DOC = f"How subjects are named for {{}}: {', '.join(STRATEGIES)}, or Confluent's class of that name."


log = logging.getLogger(__name__)


def _registry_urls(name: str, value: Any) -> None:
    """A validator. ConfigError for what is no URL of HTTP, and for hosts beyond the worker's bounds."""
    for url in value or ():
        RegistryUrl.parse(url, name)


class SchemaRegistryConfig(Config):
    """Names and defaults are those of Confluent's converters."""

    schema_registry_url: list[str] = key(
        validator=_registry_urls,
        importance=HIGH,
        group="Registry",
        doc="Where the registry is: URLs, separated by commas, of one registry. The next is asked where one fails.",
    )
    auto_register_schemas: bool = key(
        default=True,
        importance=MEDIUM,
        group="Schemas",
        doc="Register the schema of what is written. If false it must be in the registry, or use.latest.version says "
        "what to write with.",
    )
    use_latest_version: bool = key(
        default=False,
        importance=LOW,
        group="Schemas",
        doc="Write with the subject's latest schema, whatever the record's own is. Without effect while "
        "auto.register.schemas is true.",
    )
    latest_compatibility_strict: bool = key(
        default=True,
        importance=LOW,
        group="Schemas",
        doc="Refuse records with fields that the latest schema does not have; if false those fields are dropped.",
    )
    latest_cache_ttl_sec: Annotated[int, Range(-1)] = key(
        default=-1,
        importance=LOW,
        group="Schemas",
        doc="For how many seconds a subject's latest schema is taken for the latest; -1 as long as the task runs.",
    )
    use_schema_id: int = key(
        default=-1,
        importance=LOW,
        group="Schemas",
        doc="Write with the schema of this id; -1: none. Without effect while auto.register.schemas is true.",
    )
    id_compatibility_strict: bool = key(
        default=True,
        importance=LOW,
        group="Schemas",
        doc="As latest.compatibility.strict, for use.schema.id.",
    )
    normalize_schemas: bool = key(
        default=False,
        importance=MEDIUM,
        group="Schemas",
        doc="Have the registry take schemas for equal that differ in what means nothing, such as the order of "
        "attributes.",
    )
    max_schemas_per_subject: Annotated[int, Range(1)] = key(
        default=1000,
        importance=LOW,
        group="Schemas",
        doc="How many of the registry's answers to remember; the oldest is asked for again.",
    )
    key_subject_name_strategy: str = key(
        default="TopicNameStrategy",
        validator=subject_strategy,
        importance=MEDIUM,
        group="Schemas",
        doc=_STRATEGY_DOC.format("keys"),
    )
    value_subject_name_strategy: str = key(
        default="TopicNameStrategy",
        validator=subject_strategy,
        importance=MEDIUM,
        group="Schemas",
        doc=_STRATEGY_DOC.format("values"),
    )
    basic_auth_credentials_source: Literal["URL", "USER_INFO", "SASL_INHERIT"] = key(
        default="URL",
        importance=MEDIUM,
        group="Access",
        doc="Where name and password are: in the URL, in basic.auth.user.info, or in sasl.jaas.config.",
    )
    basic_auth_user_info: Password | None = key(
        default=None,
        importance=MEDIUM,
        group="Access",
        doc="NAME:PASSWORD, for basic.auth.credentials.source=USER_INFO.",
    )
    schema_registry_basic_auth_user_info: Password | None = key(
        default=None, importance=LOW, group="Access", doc="An older name of basic.auth.user.info."
    )
    sasl_jaas_config: Password | None = key(
        default=None, importance=LOW, group="Access", doc="Name and password in a line of JAAS, for SASL_INHERIT."
    )
    bearer_auth_credentials_source: Literal["STATIC_TOKEN"] = key(
        default="STATIC_TOKEN", importance=LOW, group="Access", doc="Where the bearer token is: in bearer.auth.token."
    )
    bearer_auth_token: Password | None = key(
        default=None, importance=MEDIUM, group="Access", doc="A token that is sent with every request."
    )
    truststore_location: Annotated[str, NonEmptyString()] | None = key(
        name="schema.registry.ssl.truststore.location",
        default=None,
        importance=MEDIUM,
        group="TLS",
        doc="A file with the certificates to believe: PEM, JKS or PKCS12. Without it, the system's.",
    )
    truststore_password: Password | None = key(
        name="schema.registry.ssl.truststore.password",
        default=None,
        importance=MEDIUM,
        group="TLS",
        doc="The password of the trust store.",
    )
    keystore_location: Annotated[str, NonEmptyString()] | None = key(
        name="schema.registry.ssl.keystore.location",
        default=None,
        importance=MEDIUM,
        group="TLS",
        doc="A file with our key and certificate, for registries that ask for one: PEM, JKS or PKCS12.",
    )
    keystore_password: Password | None = key(
        name="schema.registry.ssl.keystore.password",
        default=None,
        importance=MEDIUM,
        group="TLS",
        doc="The password of the key store.",
    )
    key_password: Password | None = key(
        name="schema.registry.ssl.key.password",
        default=None,
        importance=MEDIUM,
        group="TLS",
        doc="The password of the key in it, where that is another.",
    )
    endpoint_identification: Literal["https", "none", ""] = key(
        name="schema.registry.ssl.endpoint.identification.algorithm",
        default="https",
        importance=LOW,
        group="TLS",
        doc="https: the certificate must be one of the URL's host. Empty or none: of any host.",
    )
    http_connect_timeout_ms: Annotated[int, Range(1)] = key(
        default=60_000, importance=LOW, group="Requests", doc="How long to wait for a connection."
    )
    http_read_timeout_ms: Annotated[int, Range(1)] = key(
        default=60_000, importance=LOW, group="Requests", doc="How long to wait for an answer."
    )
    max_retries: Annotated[int, Range(0)] = key(
        default=3, importance=LOW, group="Requests", doc="How often to ask again where no URL gave an answer."
    )
    retries_wait_ms: Annotated[int, Range(0)] = key(
        default=1000,
        importance=LOW,
        group="Requests",
        doc="How long to wait at most before asking again; then twice that.",
    )
    retries_max_wait_ms: Annotated[int, Range(0)] = key(
        default=20_000,
        importance=LOW,
        group="Requests",
        doc="How long to wait at most before any time of asking again.",
    )

    def _check(self) -> None:
        if not self.schema_registry_url:
            raise ConfigError("needs a URL", key="schema.registry.url", suggestion="such as http://localhost:8081")
        if self.auto_register_schemas and (self.use_latest_version or self.use_schema_id >= 0):
            chosen = "use.latest.version" if self.use_latest_version else "use.schema.id"
            log.warning("%s has no effect on what is written while auto.register.schemas is true", chosen)

    def user_info(self) -> tuple[str, str] | None:
        """Name and password, where they are not in the URL. ConfigError when the source that is named has none."""
        if self.basic_auth_credentials_source == "URL":
            return None
        if self.basic_auth_credentials_source == "USER_INFO":
            given = self.basic_auth_user_info or self.schema_registry_basic_auth_user_info
            name, colon, password = (given.value if given else "").partition(":")
            if not colon:
                raise ConfigError("must be NAME:PASSWORD", key="basic.auth.user.info")
            return name, password
        return self._jaas_user()

    def _jaas_user(self) -> tuple[str, str]:
        from kconnect.security import jaas  # only for those who inherit the login

        try:
            options = jaas.parse(self.sasl_jaas_config.value if self.sasl_jaas_config else "").options
            return options["username"], options["password"]
        except (jaas.JaasError, KeyError) as error:
            raise ConfigError(f"has no username and password ({error})", key="sasl.jaas.config") from None
