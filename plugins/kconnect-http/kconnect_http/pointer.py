"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from typing import Any

from kconnect import ConfigError


class Pointer:
    """`/` alone is the whole document, as an empty pointer is."""

    def __init__(self, text: str) -> None:
        """ConfigError for what is no pointer."""
        self.text = text
        if text and not text.startswith("/"):
            raise ConfigError(f"{text!r} is no JSON pointer", suggestion="such as /items or /user/id")
        steps = [] if text in ("", "/") else text[1:].split("/")
        self._steps = [step.replace("~1", "/").replace("~0", "~") for step in steps]

    def of(self, document: Any) -> Any:
        """What it points to; None where there is nothing."""
        for step in self._steps:
            if isinstance(document, dict):
                document = document.get(step)
            elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step) < len(document):
                document = document[int(step)]
            else:
                return None
        return document


def pointer(name: str, value: object) -> None:
    """A validator."""
    if value is not None:
        named_pointer(name, str(value))


def named_pointer(name: str, text: str) -> Pointer:
    """ConfigError, naming the key `name`."""
    try:
        return Pointer(text)
    except ConfigError as error:
        raise ConfigError(error.reason, key=name, suggestion=error.suggestion) from None


def scalar_text(value: Any) -> str | None:
    """A scalar as text, as JSON writes it; None for null, arrays and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else None
