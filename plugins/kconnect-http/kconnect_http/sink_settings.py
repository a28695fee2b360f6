"""What a sink does, whichever connector's keys it was told by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kconnect import SinkRecord
from kconnect_http.bodies import BatchSettings, BodyEncoder
from kconnect_http.client import ClientSettings
from kconnect_http.credentials import Credentials
from kconnect_http.retries import Backoff, StatusCodes
from kconnect_http.templates import HeaderTemplate, PlainTemplate, UrlTemplate

Rewrite = Callable[[SinkRecord, bytes], bytes]
"""What becomes of a record's body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """`null_values` are ignore, log, fail, delete or send; `on_error` fail, ignore or log.

    `max_retries` -1 is for ever. `again_ms`: a request that was tried often enough is put again after that, for ever,
    in place of failing the task. `batch` None: one record a request. `requests_per_s` 0 is no limit."""

    client: ClientSettings
    credentials: Credentials
    url: UrlTemplate
    method: str
    headers: Sequence[tuple[str, HeaderTemplate]]
    encode: BodyEncoder
    rewrite: Rewrite | None
    batch: BatchSettings | None
    batch_key: PlainTemplate | None
    null_values: str
    on_error: str
    retry_on: StatusCodes
    max_retries: int
    backoff: Backoff
    again_ms: int | None
    requests_per_s: float
