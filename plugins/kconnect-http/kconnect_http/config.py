"""Keys that several of the connectors here have: TLS, redirects, OAuth 2.0."""

from __future__ import annotations

import ssl
from typing import Annotated, Literal

from kconnect import LOW, Config, ConfigError, Password, key
from kconnect.bounds import allowed_path
from kconnect.config import Type
from kconnect.validators import CaseInsensitiveValidString
from kconnect_http.client import ClientSettings
from kconnect_http.credentials import Credentials
from kconnect_http.oauth2 import OAuth2Credentials, OAuth2Settings
from kconnect_http.origin import Origin, http_url
from kconnect_http.tls import Store, client_context

TLS = "TLS"
OAUTH = "OAuth 2.0"


class TlsConfig(Config):
    trust_all: bool = key(
        name="http.ssl.trust.all.certs",
        default=False,
        importance=LOW,
        group=TLS,
        doc="Take any TLS certificate, from whomever it is.",
    )
    truststore: Annotated[str, allowed_path] | None = key(
        name="http.ssl.truststore.location",
        default=None,
        importance=LOW,
        group=TLS,
        doc="A file of the authorities to believe in place of the system's: PEM, JKS or PKCS12.",
    )
    truststore_password: Password | None = key(
        name="http.ssl.truststore.password", default=None, importance=LOW, group=TLS, doc="What opens it."
    )
    keystore: Annotated[str, allowed_path] | None = key(
        name="http.ssl.keystore.location",
        default=None,
        importance=LOW,
        group=TLS,
        doc="A file with the private key and certificate to log in with by TLS: PEM, JKS or PKCS12.",
    )
    keystore_password: Password | None = key(
        name="http.ssl.keystore.password", default=None, importance=LOW, group=TLS, doc="What opens it."
    )
    key_password: Password | None = key(
        name="http.ssl.key.password", default=None, importance=LOW, group=TLS, doc="What opens the key in it."
    )
    redirects: Literal["none", "same-origin", "any"] = key(
        name="http.redirects",
        default="same-origin",
        importance=LOW,
        group=TLS,
        doc="Which redirects, and links to a next page, are followed. Credentials and headers go to no other origin.",
    )

    def tls_context(self) -> ssl.SSLContext:
        authorities = identity = None
        if self.truststore:
            authorities = Store(
                name="http.ssl.truststore.location", location=self.truststore, password=self.truststore_password
            )
        if self.keystore:
            identity = Store(
                name="http.ssl.keystore.location",
                location=self.keystore,
                password=self.keystore_password,
                key_password=self.key_password,
            )
        return client_context(verify=not self.trust_all, authorities=authorities, identity=identity)


class OAuth2Config(TlsConfig):
    token_url: Annotated[str, http_url] | None = key(
        name="oauth2.access.token.url", default=None, group=OAUTH, doc="Where tokens are fetched."
    )
    client_id: str | None = key(name="oauth2.client.id", default=None, group=OAUTH, doc="The client's id.")
    client_secret: Password | None = key(
        name="oauth2.client.secret", default=None, group=OAUTH, doc="The client's secret."
    )
    scope: str | None = key(
        name="oauth2.client.scope", default=None, importance=LOW, group=OAUTH, doc="The scope to ask for."
    )
    authorization_mode: Annotated[str, CaseInsensitiveValidString("HEADER", "URL")] = key(
        name="oauth2.client.authorization.mode",
        default="HEADER",
        group=OAUTH,
        doc="How the client logs in: HEADER by basic authentication, URL by fields of the form.",
    )
    grant_type: str = key(
        name="oauth2.grant.type", default="client_credentials", importance=LOW, group=OAUTH, doc="The grant's type."
    )
    grant_type_property: str = key(
        name="oauth2.request.grant.type.property",
        default="grant_type",
        importance=LOW,
        group=OAUTH,
        doc="What the form calls the grant's type.",
    )
    client_id_property: str = key(
        name="oauth2.request.client.id.property",
        default="client_id",
        importance=LOW,
        group=OAUTH,
        doc="What the form calls the client's id.",
    )
    client_secret_property: str = key(
        name="oauth2.request.client.secret.property",
        default="client_secret",
        importance=LOW,
        group=OAUTH,
        doc="What the form calls the client's secret.",
    )
    token_property: str = key(
        name="oauth2.response.token.property",
        default="access_token",
        importance=LOW,
        group=OAUTH,
        doc="What the answer calls the token.",
    )

    def check_oauth2(self) -> None:
        """ConfigError where something is missing."""
        for name, value in (
            ("oauth2.access.token.url", self.token_url),
            ("oauth2.client.id", self.client_id),
            ("oauth2.client.secret", self.client_secret),
        ):
            if not value or value == Password(""):
                raise ConfigError("is needed to log in by OAuth 2.0", key=name)

    def oauth2(self, timeout_s: float, context: ssl.SSLContext) -> Credentials:
        assert self.token_url
        assert self.client_id
        assert self.client_secret
        settings = OAuth2Settings(
            url=self.token_url,
            client_id=self.client_id,
            client_secret=self.client_secret,
            scope=self.scope,
            in_header=self.authorization_mode.upper() == "HEADER",
            grant_type=self.grant_type,
            parameters=(self.grant_type_property, self.client_id_property, self.client_secret_property),
            token_property=self.token_property,
        )
        return oauth2_credentials(settings, "oauth2.access.token.url", timeout_s, context)


def oauth2_credentials(
    settings: OAuth2Settings, url_key: str, timeout_s: float, context: ssl.SSLContext
) -> Credentials:
    transport = ClientSettings(
        url_key=url_key,
        home=Origin.of(url_key, settings.url).allow(url_key),
        context=context,
        connect_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
        redirects="none",
        max_answer_bytes=1024 * 1024,
    )
    return OAuth2Credentials(settings, transport)


Milliseconds = Annotated[int, Type.LONG]
