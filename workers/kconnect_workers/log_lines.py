"""The worker's log: where its lines go, and what they may hold."""

from __future__ import annotations

import logging

from kconnect.redaction import process_redactor


class RedactingFormatter(logging.Formatter):
    """Hides the secrets that this process knows, in messages and traces."""

    def format(self, record: logging.LogRecord) -> str:
        return process_redactor.redact(super().format(record))


def quieten_libraries() -> None:
    """Have libraries that log each of their requests at INFO say what is worth a WARNING; a level that is set for one
    of them by name, over REST, goes over this."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


_TALKATIVE = ("httpx", "azure")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Have everything logged in this process go to stderr. Handlers that are there already stay."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    quieten_libraries()
