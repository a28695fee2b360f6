"""The keys of ConfluentHttpSink: those of Confluent's HTTP sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from kconnect import HIGH, LOW, Config, ConfigError, Password, Range, SinkRecord, key
from kconnect.bounds import allowed_path
from kconnect.java_regex import JavaPattern
from kconnect.validators import CaseInsensitiveValidString
from kconnect_http.bodies import BatchSettings, BodyEncoder
from kconnect_http.client import ClientSettings
from kconnect_http.config import oauth2_credentials
from kconnect_http.credentials import Credentials, FixedCredentials, basic, check_header
from kconnect_http.oauth2 import OAuth2Settings
from kconnect_http.origin import Origin, http_url
from kconnect_http.retries import Backoff, StatusCodes, status_codes
from kconnect_http.sink_settings import Rewrite, SinkSettings
from kconnect_http.templates import HeaderTemplate, PlainTemplate, UrlTemplate
from kconnect_http.tls import Store, client_context

REQUESTS = "Requests"
LOGIN = "Login"
BATCHES = "Batches"
FAILURES = "Failures"
REGEX = "Regex"
TLS = "TLS"

_STORE_TYPES = CaseInsensitiveValidString("NONE", "BASIC", "OAUTH2")


class ConfluentHttpSinkConfig(Config):
    url: Annotated[str, http_url] = key(
        name="http.api.url",
        importance=HIGH,
        group=REQUESTS,
        doc="Where records go; behind the host, ${topic}, ${key} and ${field.path} of the value are parts of each.",
    )
    method: Annotated[str, CaseInsensitiveValidString("POST", "PUT", "PATCH")] = key(
        name="request.method", default="POST", importance=HIGH, group=REQUESTS, doc="The method of requests."
    )
    body_format: Annotated[str, CaseInsensitiveValidString("string", "json")] = key(
        name="request.body.format",
        default="string",
        group=REQUESTS,
        doc="string sends text as it is and everything else in JSON, json makes a JSON string of text.",
    )
    headers: str = key(
        default="", group=REQUESTS, doc="Headers, as name:value, with header.separator between them; may have ${…}."
    )
    header_separator: str = key(
        name="header.separator", default="|", group=REQUESTS, doc="What stands between headers."
    )
    null_values: Annotated[str, CaseInsensitiveValidString("fail", "log", "ignore", "delete")] = key(
        name="behavior.on.null.values",
        default="ignore",
        importance=LOW,
        group=REQUESTS,
        doc="What becomes of records without a value: delete sends DELETE to their URL, fail has them refused, ignore "
        "and log pass over them.",
    )
    connect_timeout_ms: Annotated[int, Range(1)] = key(
        name="http.connect.timeout.ms",
        default=30_000,
        importance=LOW,
        group=REQUESTS,
        doc="How long to wait for a connection, in ms.",
    )
    request_timeout_ms: Annotated[int, Range(1)] = key(
        name="http.request.timeout.ms",
        default=30_000,
        importance=LOW,
        group=REQUESTS,
        doc="How long to wait for an answer, in ms.",
    )
    auth_type: Annotated[str, _STORE_TYPES] = key(
        name="auth.type", default="NONE", importance=HIGH, group=LOGIN, doc="How requests are let in."
    )
    user: str = key(name="connection.user", default="", group=LOGIN, doc="The user, for BASIC.")
    password: Password | None = key(
        name="connection.password", default=None, group=LOGIN, doc="The password, for BASIC."
    )
    token_url: Annotated[str, http_url] | None = key(
        name="oauth2.token.url", default=None, group=LOGIN, doc="Where tokens are fetched, for OAUTH2."
    )
    client_id: str | None = key(name="oauth2.client.id", default=None, group=LOGIN, doc="The client's id.")
    client_secret: Password | None = key(
        name="oauth2.client.secret", default=None, group=LOGIN, doc="The client's secret."
    )
    client_scope: str = key(name="oauth2.client.scope", default="any", group=LOGIN, doc="The scope to ask for.")
    token_property: str = key(
        name="oauth2.token.property", default="access_token", group=LOGIN, doc="What the answer calls the token."
    )
    client_auth_mode: Annotated[str, CaseInsensitiveValidString("header", "url")] = key(
        name="oauth2.client.auth.mode",
        default="header",
        group=LOGIN,
        doc="How the client logs in: header by basic authentication, url by fields of the form.",
    )
    batch_key: str = key(
        name="batch.key.pattern",
        default="someKey",
        group=BATCHES,
        doc="A request ends where this becomes another; ${topic}, ${key} and others stand for parts of a record.",
    )
    batch_max_size: Annotated[int, Range(1)] = key(
        name="batch.max.size", default=1, importance=HIGH, group=BATCHES, doc="The most records of a request."
    )
    batch_max_bytes: Annotated[int, Range(1)] = key(
        name="batch.max.bytes", default=5_000_000, group=BATCHES, doc="The most bytes of a request of several records."
    )
    batch_prefix: str = key(name="batch.prefix", default="", group=BATCHES, doc="What stands before the first record.")
    batch_suffix: str = key(name="batch.suffix", default="", group=BATCHES, doc="What stands behind the last record.")
    batch_separator: str = key(name="batch.separator", default=",", group=BATCHES, doc="What stands between records.")
    batch_array: bool = key(
        name="batch.json.as.array",
        default=False,
        group=BATCHES,
        doc="Make a JSON array of the records of a request, of a single one as well.",
    )
    max_retries: Annotated[int, Range(-1)] = key(
        name="max.retries",
        default=10,
        group=FAILURES,
        doc="How often a request is tried again; -1 for ever. A wait that the server asks for by Retry-After does not "
        "count.",
    )
    retry_backoff_ms: Annotated[int, Range(0)] = key(
        name="retry.backoff.ms", default=3000, group=FAILURES, doc="The wait before the first new try, in ms."
    )
    retry_policy: Annotated[str, CaseInsensitiveValidString("EXPONENTIAL_WITH_JITTER", "CONSTANT_VALUE")] = key(
        name="retry.backoff.policy",
        default="EXPONENTIAL_WITH_JITTER",
        group=FAILURES,
        doc="Whether waits grow, up to five minutes.",
    )
    retry_statuses: Annotated[str, status_codes] = key(
        name="retry.on.status.codes",
        default="400-",
        group=FAILURES,
        doc="The statuses after which a request is tried again.",
    )
    on_error: Annotated[str, CaseInsensitiveValidString("fail", "ignore", "log")] = key(
        name="behavior.on.error",
        default="fail",
        importance=LOW,
        group=FAILURES,
        doc="What becomes of records that the server refuses after all tries: fail fails the task, or reports them "
        "with errors.tolerance=all; ignore and log pass over them, with a warning.",
    )
    regex_patterns: str = key(
        name="regex.patterns",
        default="",
        importance=LOW,
        group=REGEX,
        doc="Java's regular expressions to look for in each body, with regex.separator between them.",
    )
    regex_replacements: str = key(
        name="regex.replacements",
        default="",
        importance=LOW,
        group=REGEX,
        doc="What to write in their places; $1 is a group, ${key} and ${topic} the record's.",
    )
    regex_separator: str = key(
        name="regex.separator", default="~", importance=LOW, group=REGEX, doc="What stands between expressions."
    )
    truststore: Annotated[str, allowed_path] | None = key(
        name="https.ssl.truststore.location",
        default=None,
        importance=LOW,
        group=TLS,
        doc="A file of the authorities to believe in place of the system's: JKS, PKCS12 or PEM.",
    )
    truststore_password: Password | None = key(
        name="https.ssl.truststore.password", default=None, importance=LOW, group=TLS, doc="What opens it."
    )
    keystore: Annotated[str, allowed_path] | None = key(
        name="https.ssl.keystore.location",
        default=None,
        importance=LOW,
        group=TLS,
        doc="A file with the private key and certificate to log in with by TLS.",
    )
    keystore_password: Password | None = key(
        name="https.ssl.keystore.password", default=None, importance=LOW, group=TLS, doc="What opens it."
    )
    key_password: Password | None = key(
        name="https.ssl.key.password", default=None, importance=LOW, group=TLS, doc="What opens the key in it."
    )
    host_verifier: bool = key(
        name="https.host.verifier.enabled",
        default=True,
        importance=LOW,
        group=TLS,
        doc="Only true is supported: certificates are verified, and for the host that they are shown for.",
    )

    def _check(self) -> None:
        UrlTemplate("http.api.url", self.url)
        PlainTemplate("batch.key.pattern", self.batch_key)
        self._headers()
        self._rewrite()
        if not self.host_verifier:
            raise ConfigError("is not supported: connections are verified", key="https.host.verifier.enabled")
        kind = self.auth_type.upper()
        if kind == "BASIC" and not self.user:
            raise ConfigError("is needed with auth.type=BASIC", key="connection.user")
        if kind == "OAUTH2":
            for name, value in (
                ("oauth2.token.url", self.token_url),
                ("oauth2.client.id", self.client_id),
                ("oauth2.client.secret", self.client_secret),
            ):
                if not value or value == Password(""):
                    raise ConfigError("is needed with auth.type=OAUTH2", key=name)

    def settings(self) -> SinkSettings:
        """ConfigError for a store of certificates that cannot be used."""
        context = client_context(
            verify=True,
            authorities=self._store("https.ssl.truststore.location", self.truststore, self.truststore_password),
            identity=self._store("https.ssl.keystore.location", self.keystore, self.keystore_password),
        )
        client = ClientSettings(
            url_key="http.api.url",
            home=Origin.of("http.api.url", self.url).allow("http.api.url"),
            context=context,
            connect_timeout_s=self.connect_timeout_ms / 1000,
            read_timeout_s=self.request_timeout_ms / 1000,
            redirects="same-origin",
            max_answer_bytes=16 * 1024 * 1024,
        )
        credentials: Credentials = FixedCredentials()
        if self.auth_type.upper() == "BASIC":
            credentials = FixedCredentials({"Authorization": basic(self.user, self.password)})
        elif self.token_url and self.client_id and self.client_secret and self.auth_type.upper() == "OAUTH2":
            settings = OAuth2Settings(
                url=self.token_url,
                client_id=self.client_id,
                client_secret=self.client_secret,
                scope=self.client_scope,
                in_header=self.client_auth_mode.lower() == "header",
                token_property=self.token_property,
            )
            credentials = oauth2_credentials(settings, "oauth2.token.url", self.request_timeout_ms / 1000, context)
        return SinkSettings(
            client=client,
            credentials=credentials,
            url=UrlTemplate("http.api.url", self.url),
            method=self.method.upper(),
            headers=self._headers(),
            encode=BodyEncoder(json_text=self.body_format.lower() == "json"),
            rewrite=self._rewrite(),
            batch=self._batch(),
            batch_key=PlainTemplate("batch.key.pattern", self.batch_key) if self.batch_max_size > 1 else None,
            null_values=self.null_values.lower(),
            on_error=self.on_error.lower(),
            retry_on=StatusCodes.parse("retry.on.status.codes", self.retry_statuses),
            max_retries=self.max_retries,
            backoff=Backoff(
                first_ms=self.retry_backoff_ms, grows=self.retry_policy.upper() == "EXPONENTIAL_WITH_JITTER"
            ),
            again_ms=None,
            requests_per_s=0.0,
        )

    def _store(self, name: str, location: str | None, password: Password | None) -> Store | None:
        if not location:
            return None
        return Store(name=name, location=location, password=password, key_password=self.key_password)

    def _batch(self) -> BatchSettings | None:
        """Prefix and suffix stand around a single record, too."""
        texts = ("[", ",", "]") if self.batch_array else (self.batch_prefix, self.batch_separator, self.batch_suffix)
        prefix, separator, suffix = (text.encode() for text in texts)
        return BatchSettings(
            max_records=self.batch_max_size,
            max_bytes=self.batch_max_bytes,
            prefix=prefix,
            separator=separator,
            suffix=suffix,
        )

    def _headers(self) -> list[tuple[str, HeaderTemplate]]:
        found = []
        for item in filter(None, map(str.strip, self.headers.split(self.header_separator or "|"))):
            header, colon, value = (part.strip() for part in item.partition(":"))
            if not colon:
                raise ConfigError(f"{header!r} has no value", key="headers", suggestion="such as X-Source:kconnect")
            check_header("headers", header, value)
            found.append((header, HeaderTemplate("headers", value)))
        if not any(header.lower() == "content-type" for header, _ in found):
            found.insert(0, ("Content-Type", HeaderTemplate("headers", "application/json")))
        return found

    def _rewrite(self) -> Rewrite | None:
        if not self.regex_patterns:
            return None
        separator = self.regex_separator or "~"
        patterns = self.regex_patterns.split(separator)
        replacements = self.regex_replacements.split(separator)
        if len(patterns) != len(replacements):
            raise ConfigError(
                f"there are {len(patterns)} expressions and {len(replacements)} replacements", key="regex.replacements"
            )
        try:
            compiled = [JavaPattern(pattern) for pattern in patterns]
        except ConfigError as error:
            raise ConfigError(error.reason, key="regex.patterns", value=error.value) from error
        return _rewriting(compiled, replacements)


def _rewriting(patterns: Sequence[JavaPattern], replacements: Sequence[str]) -> Rewrite:
    templates = [PlainTemplate("regex.replacements", text) for text in replacements]

    def rewrite(record: SinkRecord, body: bytes) -> bytes:
        text = body.decode(errors="surrogateescape")
        for pattern, template in zip(patterns, templates, strict=True):
            text = pattern.replace_all(text, template.render(record, _literally))
        return text.encode(errors="surrogateescape")

    return rewrite


def _literally(_variable: str, text: str) -> str:
    return text.replace("\\", "\\\\").replace("$", "\\$")
