"""The worker's log: where its lines go, and what they may hold."""

from __future__ import annotations

import logging

from kconnect.redaction import process_redactor


class RedactingFormatter(logging.Formatter):
    """Hides the secrets that this process knows, in messages and traces."""

    def format(self, record: logging.LogRecord) -> str:
        return process_redactor.redact(super().format(record))


def log_to_stderr(level: int = logging.INFO) -> None:
    """Have everything logged in this process go to stderr. Handlers that are there already stay."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
