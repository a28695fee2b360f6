"""The task of the polling source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from kconnect import ConnectError, RetriableError, SchemaBuilder, SourceRecord, SourceTask
from kconnect.schema import OPTIONAL_INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA
from kconnect_http.client import Answer, Client
from kconnect_http.instant import millis
from kconnect_http.page import MALFORMED_TRIES, Item, MalformedAnswerError, PageReader, advanced, unseen
from kconnect_http.paging import with_query
from kconnect_http.position import KEY, Position
from kconnect_http.request_template import RequestTemplate, in_header, in_json, in_url
from kconnect_http.retries import StatusCodes, retry_after_ms
from kconnect_http.source_config import HttpSourceConfig

PARTITION: Final[dict[str, str]] = {}
KEY_SCHEMA: Final = (
    SchemaBuilder.struct()
    .name("com.github.castorm.kafka.connect.http.Key")
    .field("key", OPTIONAL_STRING_SCHEMA)
    .build()
)
VALUE_SCHEMA: Final = (
    SchemaBuilder.struct()
    .name("com.github.castorm.kafka.connect.http.Value")
    .field("value", STRING_SCHEMA)
    .field("key", OPTIONAL_STRING_SCHEMA)
    .field("timestamp", OPTIONAL_INT64_SCHEMA)
    .build()
)
_WAIT_S: Final = 0.5
_PASSING: Final = StatusCodes(((408, 408), (425, 425), (429, 429), (500, 599)))
_GONE: Final = (400, 404, 410)
"""What is answered to the link or token of a page that has expired."""
_CONDITION: Final = "If-None-Match"

log = logging.getLogger(__name__)


class HttpSourceTask(SourceTask[HttpSourceConfig]):
    """A round reads the pages from the first to the last for one cursor, each poll one page; the next round begins when
    the interval is over. Records of a page have the offset from which it is read again, and the last the next one's."""

    disposable_values = True

    def start(self, config: HttpSourceConfig) -> None:
        self._using = threading.Lock()
        self._stopping = threading.Event()
        self._config = config
        settings = config.client_settings()
        self._client = Client(settings, config.credentials(settings), {"User-Agent": "kconnect-http"})
        self._reader = PageReader(config)
        self._paging = config.pages()
        self._url = RequestTemplate("http.request.url", config.url)
        self._params = config.request_params()
        self._headers = config.request_headers()
        self._body = RequestTemplate("http.request.body", config.body) if config.body else None
        self._with_records, self._without_records = config.statuses()
        stored = self.context.offset_storage_reader.offset(PARTITION)
        self._position = Position.of_offset(config.initial_offset() if stored is None else stored)
        self._page = self._position.page
        """The page to be read next; pages that are only counted are not kept in the position."""
        self._due = self._round_began = time.monotonic()
        self._newest: datetime | None = None
        self._malformed = 0
        self._begun_anew = False

    def poll(self) -> list[SourceRecord] | None:
        wait_s = self._due - time.monotonic()
        if wait_s > 0:
            self._stopping.wait(min(wait_s, _WAIT_S))
            return None
        with self._using:
            if self._stopping.is_set():
                return None
            return self._read()

    def stop(self) -> None:
        """A request in progress ends by itself, in its time; what is not in use is closed."""
        if not hasattr(self, "_using"):
            return
        self._stopping.set()
        if self._using.acquire(blocking=False):
            try:
                self._client.close()
            finally:
                self._using.release()

    def _read(self) -> list[SourceRecord] | None:
        if self._page is None:
            self._round_began = time.monotonic()
            self._newest = None
        answer = self._answer()
        if answer is None:
            return None
        try:
            document = self._reader.document(answer)
        except MalformedAnswerError as error:
            self._malformed += 1
            if self._malformed < MALFORMED_TRIES:
                raise RetriableError(str(error)) from error
            raise
        self._malformed = 0
        return self._records(answer, self._reader.items(answer, document), document)

    def _records(self, answer: Answer, items: Sequence[Item], document: object) -> list[SourceRecord]:
        before = self._position
        order = self._config.order.upper()
        new = unseen(items, before, ordered=order != "IMPLICIT")
        after = advanced(before, new, descending=order == "DESC")
        following = self._paging.following(self._page, answer, document, len(items))
        if order == "DESC" and len(new) < len(items):  # from here on everything is known
            following = None
        resumable = self._paging.resumable
        for item in new:
            if item.at is not None and (self._newest is None or item.at > self._newest):
                self._newest = item.at
        if following is None:
            after = after.round_over()
            after = replace(after, etag=self._etag(answer, before, after))
            self._round_over(found=bool(new))
        else:
            after = replace(after, page=following if resumable else None)
        self._position, self._page = after, following
        stored = before.offset(with_page=resumable)
        last = after.offset(with_page=resumable)
        if following is not None and not resumable:  # counted pages: until the last the round begins anew
            last = stored
        records = self._made(new, stored)
        if records:
            records[-1].source_offset = last
        return records

    def _made(self, items: Sequence[Item], offset: dict[str, str]) -> list[SourceRecord]:
        form, topic = self._config.format, self._config.topic
        records = []
        for item in items:
            key: Any = item.properties.get(KEY)
            key_schema = None if key is None else STRING_SCHEMA
            at = None if item.at is None else millis(item.at)
            value, value_schema = item.value, None
            if form != "json":
                value_schema = STRING_SCHEMA
                if not isinstance(value, str):
                    value = msgspec.json.encode(value).decode()
            if form == "envelope":
                at = time.time_ns() // 1_000_000 if at is None else at
                value, value_schema = {"value": value, "key": key, "timestamp": at}, VALUE_SCHEMA
                key, key_schema = {"key": key}, KEY_SCHEMA
            records.append(SourceRecord(PARTITION, offset, topic, None, key_schema, key, value_schema, value, at))
        return records

    def _round_over(self, *, found: bool) -> None:
        """Find out when the next one begins."""
        config = self._config
        age_s = 0.0 if self._newest is None else (datetime.now(UTC) - self._newest).total_seconds()
        catching_up = found and age_s * 1000 > config.interval_ms
        interval_ms = min(config.interval_ms, config.catchup_ms) if catching_up else config.interval_ms
        self._due = self._round_began + interval_ms / 1000
        self._begun_anew = False

    def _answer(self) -> Answer | None:
        """One with records; None where there is none now, and a later poll asks again."""
        config, position = self._config, self._position
        url = self._paging.url(self._first_url(position.cursor), self._page, self._client)
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        headers |= {name: template.render(position.cursor, in_header) for name, template in self._headers}
        if position.etag is not None and config.conditional:
            headers[_CONDITION] = position.etag
        body = None
        if self._body is not None:
            body = self._body.render(position.cursor, in_json).encode()
            headers.setdefault("Content-Type", "application/json")
        answer = self._client.send(config.method.upper(), url, headers, body)
        if answer.status in self._with_records:
            return answer
        if answer.status == 304 or answer.status in self._without_records:
            self._position, self._page = position.round_anew(), None
            self._round_over(found=False)
            return None
        self._refused(answer)
        return None

    def _refused(self, answer: Answer) -> None:
        """Returns where it is asked again later."""
        said = answer.told()
        if answer.status in _PASSING:
            wait_ms = retry_after_ms(answer.headers)
            if wait_ms is None:
                raise RetriableError(said)
            log.warning("%s; asked again in %g s, as it says", said, wait_ms / 1000)
            self._due = time.monotonic() + wait_ms / 1000
            return
        if answer.status in (401, 403, 407):
            raise ConnectError(f"{said}. Check the login (http.auth.type)")
        if answer.status in _GONE and self._page is not None and self._paging.resumable and not self._begun_anew:
            log.warning("%s: the page is taken for expired, and the round begins anew", said)
            self._begun_anew = True
            self._position, self._page = self._position.round_anew(), None
            return
        raise ConnectError(f"{said}. Check http.request.url and its parameters")

    def _first_url(self, cursor: Mapping[str, str]) -> str:
        url = self._url.render(cursor, in_url)
        given = [(name, value.render(cursor)) for name, value in self._params if value.has_all(cursor)]
        return with_query(url, urlencode(given, quote_via=quote))

    def _etag(self, answer: Answer, before: Position, after: Position) -> str | None:
        """Of an answer that was all there is, where the next request is the same."""
        if self._config.paging != "none" or not self._config.conditional or self._body is not None:
            return None
        same = self._first_url(before.cursor) == self._first_url(after.cursor)
        return answer.headers.get("etag") if same else None
