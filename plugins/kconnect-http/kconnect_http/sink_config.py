"""The keys of HttpSink: those of Aiven's HTTP sink, and more."""

from __future__ import annotations

from typing import Annotated, Literal

from kconnect import HIGH, LOW, ConfigError, Password, Range, key
from kconnect.config import NonEmptyString, Type
from kconnect.validators import CaseInsensitiveValidString
from kconnect_http.bodies import BatchSettings, BodyEncoder, unescaped
from kconnect_http.client import ClientSettings
from kconnect_http.config import OAuth2Config
from kconnect_http.credentials import Credentials, FixedCredentials, basic, check_header
from kconnect_http.origin import Origin, http_url
from kconnect_http.retries import Backoff, StatusCodes, status_codes
from kconnect_http.sink_settings import SinkSettings
from kconnect_http.templates import HeaderTemplate, UrlTemplate

REQUESTS = "Requests"
LOGIN = "Login"
BATCHES = "Batches"
FAILURES = "Failures"


class HttpSinkConfig(OAuth2Config):
    url: Annotated[str, http_url] = key(
        name="http.url",
        importance=HIGH,
        group=REQUESTS,
        doc="Where records go; behind the host, ${topic}, ${key}, ${value.field} and others stand for parts of each.",
    )
    method: Literal["POST", "PUT", "PATCH"] = key(
        name="http.method", default="POST", group=REQUESTS, doc="The method of requests."
    )
    content_type: Annotated[str, NonEmptyString()] | None = key(
        name="http.headers.content.type",
        default=None,
        importance=LOW,
        group=REQUESTS,
        doc="The header Content-Type; application/json without it.",
    )
    additional_headers: list[str] = key(
        name="http.headers.additional",
        default=[],
        importance=LOW,
        group=REQUESTS,
        doc="More headers, as name:value; ${…} stand for parts of a record.",
    )
    null_values: Literal["fail", "ignore", "log", "delete"] = key(
        name="behavior.on.null.values",
        default="fail",
        group=REQUESTS,
        doc="What becomes of records without a value: fail has them refused, ignore and log pass over them, delete "
        "sends DELETE to their URL.",
    )
    decimal_format: Annotated[str, CaseInsensitiveValidString("BASE64", "NUMERIC")] = key(
        name="decimal.format",
        default="BASE64",
        importance=LOW,
        group=REQUESTS,
        doc="How decimals are written in JSON.",
    )
    timeout_s: Annotated[int, Range(1)] = key(
        name="http.timeout", default=30, importance=LOW, group=REQUESTS, doc="How long to wait for an answer, in s."
    )
    rate_limit: Annotated[float, Range(0)] = key(
        name="http.rate.limit",
        default=0.0,
        importance=LOW,
        group=REQUESTS,
        doc="The most requests per second of a task; 0 is no limit.",
    )
    authorization: Annotated[str, CaseInsensitiveValidString("none", "static", "basic", "apikey", "oauth2")] = key(
        name="http.authorization.type",
        default="none",
        importance=HIGH,
        group=LOGIN,
        doc="How requests are let in: static by the header Authorization as given, basic by user and password, apikey "
        "by a header of its own, oauth2 by a token that is fetched.",
    )
    authorization_header: Password | None = key(
        name="http.headers.authorization", default=None, group=LOGIN, doc="The header Authorization, for static."
    )
    user: str = key(name="http.authorization.user", default="", group=LOGIN, doc="The user, for basic.")
    password: Password | None = key(
        name="http.authorization.password", default=None, group=LOGIN, doc="The password, for basic."
    )
    apikey_header: str = key(
        name="http.authorization.apikey.header", default="X-API-Key", group=LOGIN, doc="The name of apikey's header."
    )
    apikey: Password | None = key(
        name="http.authorization.apikey", default=None, group=LOGIN, doc="The key, for apikey."
    )
    batching: bool = key(
        name="batching.enabled",
        default=False,
        importance=HIGH,
        group=BATCHES,
        doc="Send several records in one request; one ends where another URL or header begins.",
    )
    batch_max_size: Annotated[int, Range(1, 1_000_000)] = key(
        name="batch.max.size", default=500, group=BATCHES, doc="The most records of a request."
    )
    batch_max_bytes: Annotated[int, Range(1)] = key(
        name="batch.max.bytes", default=5_000_000, group=BATCHES, doc="The most bytes of a request of several records."
    )
    batch_array: bool = key(
        name="batch.json.as.array",
        default=False,
        group=BATCHES,
        doc="Join records to a JSON array; batch.prefix, batch.suffix and batch.separator have no effect then.",
    )
    batch_prefix: str = key(
        name="batch.prefix", default="", group=BATCHES, doc="What stands before the first record; may have \\n in it."
    )
    batch_suffix: str = key(
        name="batch.suffix", default="\\n", group=BATCHES, doc="What stands behind the last record."
    )
    batch_separator: str = key(name="batch.separator", default="\\n", group=BATCHES, doc="What stands between records.")
    max_retries: Annotated[int, Range(-1)] = key(
        name="max.retries",
        default=1,
        group=FAILURES,
        doc="How often a request is tried again; -1 for ever. A wait that the server asks for by Retry-After does not "
        "count.",
    )
    retry_backoff_ms: Annotated[int, Range(0)] = key(
        name="retry.backoff.ms", default=3000, group=FAILURES, doc="The wait before each try, in ms."
    )
    again_ms: Annotated[int, Type.LONG, Range(0, 86_400_000)] | None = key(
        name="kafka.retry.backoff.ms",
        default=None,
        group=FAILURES,
        doc="After all tries in vain, wait so many ms and begin anew, in place of failing the task.",
    )
    retry_statuses: Annotated[str, status_codes] = key(
        name="retry.on.status.codes",
        default="408,425,429,500-599",
        group=FAILURES,
        doc="The statuses after which a request is tried again.",
    )

    def _check(self) -> None:
        Origin.of("http.url", self.url)
        UrlTemplate("http.url", self.url)
        self._headers()
        kind = self.authorization.lower()
        if kind == "oauth2":
            self.check_oauth2()
        for wanted, name, value in (
            ("static", "http.headers.authorization", self.authorization_header),
            ("apikey", "http.authorization.apikey", self.apikey),
        ):
            if kind == wanted and (value is None or not value.value):
                raise ConfigError(f"is needed with http.authorization.type={wanted}", key=name)
        if kind == "basic" and not self.user:
            raise ConfigError("is needed with http.authorization.type=basic", key="http.authorization.user")
        self._fixed_login()

    def settings(self) -> SinkSettings:
        """ConfigError for a store of certificates that cannot be used."""
        context = self.tls_context()
        client = ClientSettings(
            url_key="http.url",
            home=Origin.of("http.url", self.url).allow("http.url"),
            context=context,
            connect_timeout_s=float(self.timeout_s),
            read_timeout_s=float(self.timeout_s),
            redirects=self.redirects,
            max_answer_bytes=16 * 1024 * 1024,
        )
        credentials: Credentials = FixedCredentials(self._fixed_login())
        if self.authorization.lower() == "oauth2":
            credentials = self.oauth2(float(self.timeout_s), context)
        return SinkSettings(
            client=client,
            credentials=credentials,
            url=UrlTemplate("http.url", self.url),
            method=self.method,
            headers=self._headers(),
            encode=BodyEncoder(numeric_decimals=self.decimal_format.upper() == "NUMERIC"),
            rewrite=None,
            batch=self._batch(),
            batch_key=None,
            null_values=self.null_values,
            on_error="fail",
            retry_on=StatusCodes.parse("retry.on.status.codes", self.retry_statuses),
            max_retries=self.max_retries,
            backoff=Backoff(first_ms=self.retry_backoff_ms, grows=False),
            again_ms=self.again_ms,
            requests_per_s=self.rate_limit,
        )

    def _batch(self) -> BatchSettings | None:
        if not self.batching:
            return None
        texts = ("[", ",", "]") if self.batch_array else (self.batch_prefix, self.batch_separator, self.batch_suffix)
        prefix, separator, suffix = map(unescaped, texts)
        return BatchSettings(
            max_records=self.batch_max_size,
            max_bytes=self.batch_max_bytes,
            prefix=prefix,
            separator=separator,
            suffix=suffix,
        )

    def _headers(self) -> list[tuple[str, HeaderTemplate]]:
        given = [("Content-Type", self.content_type or "application/json")]
        seen = {"content-type"}
        name = "http.headers.additional"
        for item in self.additional_headers:
            header, colon, value = (part.strip() for part in item.partition(":"))
            if not colon:
                raise ConfigError(f"{header!r} has no value", key=name, suggestion="such as X-Source:kconnect")
            check_header(name, header, value)
            if header.lower() in seen or (header.lower() == "authorization" and self.authorization.lower() != "none"):
                raise ConfigError(f"{header} is given twice, or by a key of its own", key=name)
            seen.add(header.lower())
            given.append((header, value))
        return [(header, HeaderTemplate(name, value)) for header, value in given]

    def _fixed_login(self) -> dict[str, str]:
        kind = self.authorization.lower()
        if kind == "static" and self.authorization_header is not None:
            check_header("http.headers.authorization", "Authorization", self.authorization_header.value)
            return {"Authorization": self.authorization_header.value}
        if kind == "basic":
            return {"Authorization": basic(self.user, self.password)}
        if kind == "apikey" and self.apikey is not None:
            check_header("http.authorization.apikey.header", self.apikey_header, self.apikey.value)
            return {self.apikey_header: self.apikey.value}
        return {}
