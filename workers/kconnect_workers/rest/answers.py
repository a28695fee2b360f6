"""Answers: JSON bodies by msgspec, and Kafka's body for errors."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from kconnect.errors import (
    AlreadyExistsError,
    ConfigError,
    ConnectError,
    DataError,
    NotFoundError,
    RebalanceInProgressError,
)
from kconnect.redaction import process_redactor
from kconnect_workers.herder.peers import UnreachableError
from kconnect_workers.herder.pool import ForbiddenError, NotReadyError
from kconnect_workers.herder.stopping import StoppingError

_STATUS: tuple[tuple[type[ConnectError], int], ...] = (
    (NotFoundError, 404),
    (AlreadyExistsError, 409),
    (RebalanceInProgressError, 409),
    (ConfigError, 400),
    (DataError, 400),
    (StoppingError, 503),
    (NotReadyError, 503),
    (UnreachableError, 503),
    (ForbiddenError, 403),
    (ConnectError, 500),
)


class Json(Response):
    """Any value that msgspec encodes."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


class Nothing(Response):
    """A status without a body."""

    def __init__(self, status_code: int) -> None:
        super().__init__(status_code=status_code)


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> Json:
    return Json(
        {"error_code": status, "message": process_redactor.redact(message)}, status_code=status, headers=headers
    )


def answer_to(error: ConnectError) -> Json:
    """What a failed request is answered with."""
    status = next(status for branch, status in _STATUS if isinstance(error, branch))
    return error_answer(status, str(error))


def http_message(status: int) -> str:
    """The message of errors that concern HTTP alone, in the words that clients of Kafka Connect look for."""
    phrases = {
        400: "Bad Request",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        413: "Request Entity Too Large",
        415: "Unsupported Media Type",
        500: "Internal Server Error",
    }
    return f"HTTP {status} {phrases.get(status, '')}".rstrip()
