"""The keys of HttpSource: those of castorm's kafka-connect-http, and more."""

from __future__ import annotations

from typing import Annotated, Literal

from kconnect import HIGH, LOW, ConfigError, Password, Range, key
from kconnect.config import NonEmptyString, Type
from kconnect.validators import CaseInsensitiveValidString
from kconnect_http.client import ClientSettings
from kconnect_http.config import OAuth2Config
from kconnect_http.credentials import Credentials, FixedCredentials, basic, check_header
from kconnect_http.instant import instant
from kconnect_http.origin import Origin, http_url
from kconnect_http.paging import LinkedPages, NumberedPages, Paging, SinglePage, TokenPages
from kconnect_http.pointer import Pointer, named_pointer, pointer
from kconnect_http.position import RESERVED, TIMESTAMP
from kconnect_http.request_template import RequestTemplate
from kconnect_http.retries import StatusCodes, status_codes

REQUESTS = "Requests"
LOGIN = "Login"
PAGES = "Pages"
RECORDS = "Records"

Format = Literal["json", "string", "envelope"]


class HttpSourceConfig(OAuth2Config):
    url: Annotated[str, http_url] = key(
        name="http.request.url",
        importance=HIGH,
        group=REQUESTS,
        doc="What to read; behind the host, ${offset.name} stands for a property of the offset.",
    )
    method: Annotated[str, CaseInsensitiveValidString("GET", "POST")] = key(
        name="http.request.method", default="GET", group=REQUESTS, doc="The method of requests."
    )
    params: str = key(
        name="http.request.params",
        default="",
        importance=HIGH,
        group=REQUESTS,
        doc="Parameters of the query, as name=value & name=value. One with an ${offset.name} that is not there yet is "
        "left out.",
    )
    headers: str = key(
        name="http.request.headers", default="", group=REQUESTS, doc="Headers, as Name: value, Name: value."
    )
    body: str = key(
        name="http.request.body",
        default="",
        group=REQUESTS,
        doc="The body of requests by POST; ${offset.name} as JSON.",
    )
    interval_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="http.timer.interval.millis",
        default=60_000,
        importance=HIGH,
        group=REQUESTS,
        doc="How often to look for something new, in ms.",
    )
    catchup_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="http.timer.catchup.interval.millis",
        default=30_000,
        group=REQUESTS,
        doc="The same, where it is shorter, while what is found has older timestamps than that.",
    )
    connect_timeout_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="http.client.connection.timeout.millis",
        default=5000,
        importance=LOW,
        group=REQUESTS,
        doc="How long to wait for a connection, in ms.",
    )
    read_timeout_ms: Annotated[int, Type.LONG, Range(1)] = key(
        name="http.client.read.timeout.millis",
        default=30_000,
        importance=LOW,
        group=REQUESTS,
        doc="How long to wait for an answer, in ms.",
    )
    conditional: bool = key(
        name="http.request.conditional",
        default=True,
        importance=LOW,
        group=REQUESTS,
        doc="Ask only for what has changed (If-None-Match), where answers are of one page and have an ETag.",
    )
    auth_type: Annotated[str, CaseInsensitiveValidString("None", "Basic", "Bearer", "ApiKey", "OAuth2")] = key(
        name="http.auth.type", default="None", importance=HIGH, group=LOGIN, doc="How requests are let in."
    )
    user: str = key(name="http.auth.user", default="", group=LOGIN, doc="The user, for Basic.")
    password: Password | None = key(
        name="http.auth.password", default=None, group=LOGIN, doc="The password, for Basic."
    )
    token: Password | None = key(name="http.auth.token", default=None, group=LOGIN, doc="The token, for Bearer.")
    apikey_header: str = key(
        name="http.auth.apikey.header", default="X-API-Key", group=LOGIN, doc="The name of ApiKey's header."
    )
    apikey: Password | None = key(name="http.auth.apikey", default=None, group=LOGIN, doc="The key, for ApiKey.")
    paging: Literal["none", "link", "next", "cursor", "page", "offset"] = key(
        name="http.paging",
        default="none",
        importance=HIGH,
        group=PAGES,
        doc="How to get to the next page: link by the header Link, next by a URL in the answer, cursor by a token in "
        "it, page and offset by counting pages or records.",
    )
    paging_pointer: Annotated[str, pointer] | None = key(
        name="http.paging.pointer",
        default=None,
        group=PAGES,
        doc="A JSON pointer to the URL of the next page, or to its token.",
    )
    paging_param: str | None = key(
        name="http.paging.param",
        default=None,
        group=PAGES,
        doc="The parameter of the query for the token, or the number; by default cursor, page or offset.",
    )
    paging_start: Annotated[int, Range(0)] | None = key(
        name="http.paging.start",
        default=None,
        importance=LOW,
        group=PAGES,
        doc="The number of the first page (1), or record (0).",
    )
    paging_size: Annotated[int, Range(1)] | None = key(
        name="http.paging.size", default=None, group=PAGES, doc="How many records a page has; the last may have fewer."
    )
    paging_size_param: str | None = key(
        name="http.paging.size.param", default=None, group=PAGES, doc="The parameter of the query to ask for that."
    )
    max_bytes: Annotated[int, Range(1)] = key(
        name="http.response.max.bytes",
        default=32 * 1024 * 1024,
        importance=LOW,
        group=PAGES,
        doc="A larger answer fails the task.",
    )
    topic: Annotated[str, NonEmptyString()] = key(name="kafka.topic", importance=HIGH, group=RECORDS, doc="The topic.")
    list_pointer: Annotated[str, pointer] = key(
        name="http.response.list.pointer",
        default="/",
        importance=HIGH,
        group=RECORDS,
        doc="A JSON pointer to the array of records in an answer; an object there is the only one.",
    )
    record_pointer: Annotated[str, pointer] = key(
        name="http.response.record.pointer",
        default="/",
        group=RECORDS,
        doc="A JSON pointer, within an item of the array, to what becomes the value.",
    )
    offset_pointer: str = key(
        name="http.response.record.offset.pointer",
        default="",
        importance=HIGH,
        group=RECORDS,
        doc="The properties of the offset, as name=/pointer, name=/pointer within an item. key is the record's key, "
        "timestamp its timestamp, and what is older than the newest one is passed over.",
    )
    initial: str = key(
        name="http.offset.initial",
        default="",
        group=RECORDS,
        doc="The offset at first, as name=value, name=value.",
    )
    order: Annotated[str, CaseInsensitiveValidString("ASC", "DESC", "IMPLICIT")] = key(
        name="http.response.list.order.direction",
        default="IMPLICIT",
        group=RECORDS,
        doc="Whether the newest records stand last (ASC) or first (DESC); IMPLICIT is what timestamps say, or ASC.",
    )
    process: Annotated[str, status_codes] = key(
        name="http.response.policy.codes.process",
        default="200..299",
        importance=LOW,
        group=RECORDS,
        doc="Statuses whose answers have records.",
    )
    skip: Annotated[str, status_codes] = key(
        name="http.response.policy.codes.skip",
        default="300..399",
        importance=LOW,
        group=RECORDS,
        doc="Statuses whose answers have none.",
    )
    format: Format = key(
        name="http.record.format",
        default="json",
        group=RECORDS,
        doc="What values are: json without a schema, string its text, envelope a struct of value, key and timestamp.",
    )

    def _check(self) -> None:
        RequestTemplate("http.request.url", self.url)
        self.request_params()
        self.request_headers()
        RequestTemplate("http.request.body", self.body)
        if self.body and self.method.upper() == "GET":
            raise ConfigError("is for http.request.method=POST", key="http.request.body")
        self.offset_pointers()
        initial = self.initial_offset()
        if TIMESTAMP in initial:
            try:
                instant(initial[TIMESTAMP])
            except Exception as error:
                raise ConfigError(str(error), key="http.offset.initial") from error
        self._check_login()
        self.pages()

    def _check_login(self) -> None:
        kind = self.auth_type.lower()
        if kind == "oauth2":
            self.check_oauth2()
        for wanted, name, value in (
            ("basic", "http.auth.user", self.user),
            ("bearer", "http.auth.token", self.token and self.token.value),
            ("apikey", "http.auth.apikey", self.apikey and self.apikey.value),
        ):
            if kind == wanted and not value:
                raise ConfigError(f"is needed with http.auth.type={self.auth_type}", key=name)
        self._fixed_login()

    def client_settings(self) -> ClientSettings:
        """ConfigError for a store of certificates that cannot be used."""
        return ClientSettings(
            url_key="http.request.url",
            home=Origin.of("http.request.url", self.url).allow("http.request.url"),
            context=self.tls_context(),
            connect_timeout_s=self.connect_timeout_ms / 1000,
            read_timeout_s=self.read_timeout_ms / 1000,
            redirects=self.redirects,
            max_answer_bytes=self.max_bytes,
        )

    def credentials(self, client: ClientSettings) -> Credentials:
        if self.auth_type.lower() == "oauth2":
            return self.oauth2(client.read_timeout_s, client.context)
        return FixedCredentials(self._fixed_login())

    def pages(self) -> Paging:
        found = Pointer(self.paging_pointer) if self.paging_pointer else None
        if self.paging in ("next", "cursor") and found is None:
            raise ConfigError(f"is needed with http.paging={self.paging}", key="http.paging.pointer")
        if self.paging == "link":
            return LinkedPages(None)
        if self.paging == "next":
            return LinkedPages(found)
        name = self.paging_param or self.paging
        if self.paging == "cursor" and found is not None:
            return TokenPages(found, name)
        if self.paging in ("page", "offset"):
            by_records = self.paging == "offset"
            start = self.paging_start if self.paging_start is not None else 0 if by_records else 1
            return NumberedPages(name, start, self.paging_size, by_records=by_records)
        return SinglePage()

    def request_params(self) -> list[tuple[str, RequestTemplate]]:
        found = []
        for item in filter(None, map(str.strip, self.params.split("&"))):
            name, _, value = (part.strip() for part in item.partition("="))
            if not name:
                raise ConfigError(f"{item!r} has no name", key="http.request.params", suggestion="name=value & …")
            found.append((name, RequestTemplate("http.request.params", value)))
        if self.paging_size_param and self.paging_size:
            found.append((self.paging_size_param, RequestTemplate("http.paging.size", str(self.paging_size))))
        return found

    def request_headers(self) -> list[tuple[str, RequestTemplate]]:
        found = []
        for item in filter(None, map(str.strip, self.headers.split(","))):
            name, colon, value = (part.strip() for part in item.partition(":"))
            if not colon:
                raise ConfigError(f"{item!r} is no header", key="http.request.headers", suggestion="Name: value, …")
            check_header("http.request.headers", name, value)
            found.append((name, RequestTemplate("http.request.headers", value)))
        return found

    def offset_pointers(self) -> dict[str, Pointer]:
        name = "http.response.record.offset.pointer"
        return {prop: named_pointer(name, text) for prop, text in _pairs(name, self.offset_pointer).items()}

    def initial_offset(self) -> dict[str, str]:
        return _pairs("http.offset.initial", self.initial)

    def statuses(self) -> tuple[StatusCodes, StatusCodes]:
        """Those with records, and those with none."""
        return (
            StatusCodes.parse("http.response.policy.codes.process", self.process),
            StatusCodes.parse("http.response.policy.codes.skip", self.skip),
        )

    def _fixed_login(self) -> dict[str, str]:
        kind = self.auth_type.lower()
        if kind == "basic":
            return {"Authorization": basic(self.user, self.password)}
        if kind == "bearer" and self.token is not None:
            check_header("http.auth.token", "Authorization", self.token.value)
            return {"Authorization": f"Bearer {self.token.value}"}
        if kind == "apikey" and self.apikey is not None:
            check_header("http.auth.apikey.header", self.apikey_header, self.apikey.value)
            return {self.apikey_header: self.apikey.value}
        return {}


class CastormHttpSourceConfig(HttpSourceConfig):
    format: Format = key(
        name="http.record.format",
        default="envelope",
        group=RECORDS,
        doc="What values are: envelope a struct of value, key and timestamp as castorm's connector writes it, json "
        "without a schema, string its text.",
    )


def _pairs(name: str, text: str) -> dict[str, str]:
    found = {}
    for item in filter(None, map(str.strip, text.split(","))):
        prop, equals, value = (part.strip() for part in item.partition("="))
        if not prop or not equals:
            raise ConfigError(f"{item!r} is not name=value", key=name)
        if prop in RESERVED:
            raise ConfigError(f"{prop} is a name of this connector's own", key=name)
        found[prop] = value
    return found
