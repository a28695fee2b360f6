"""Parts of the requests of a source, with its offset in them: `updated_after=${offset.timestamp}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

import msgspec

from kconnect import ConfigError, ConnectError
from kconnect_http.credentials import sendable
from kconnect_http.instant import instant, millis

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"(?:offset\.)?([A-Za-z_][\w-]*)(\?datetime\.iso\?long)?")
_DIRECTIVE = re.compile(r"<#|<@|\$\{[^}]*$|#\{")

Written = Callable[[str], str]


class RequestTemplate:
    """`${offset.name}`, or `${name}`, is a property of the offset; `?datetime.iso?long` behind the name makes
    milliseconds since 1970 of a timestamp. Of FreeMarker nothing else is known: ConfigError, naming the key `name`."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        if _DIRECTIVE.search(text):
            raise ConfigError(f"{text!r}: of FreeMarker only ${{offset.name}} is supported", key=name)
        parts = _VARIABLE.split(text)
        self._texts = parts[::2]
        self.variables = []
        for variable in parts[1::2]:
            match = _NAME.fullmatch(variable)
            if match is None:
                raise ConfigError(
                    f"${{{variable}}}: of FreeMarker only ${{offset.name}} and ${{offset.name?datetime.iso?long}} are "
                    "supported",
                    key=name,
                )
            self.variables.append((match[1], match[2] is not None))

    def render(self, offset: Mapping[str, str], written: Written = str) -> str:
        """ConnectError where the offset has no such property."""
        parts = [self._texts[0]]
        for (variable, as_millis), text in zip(self.variables, self._texts[1:], strict=True):
            value = offset.get(variable)
            if value is None:
                raise ConnectError(
                    f"{self._name} needs the offset {variable}, and there is none yet: give one by http.offset.initial"
                )
            parts += (written(str(millis(instant(value))) if as_millis else value), text)
        return "".join(parts)

    def has_all(self, offset: Mapping[str, str]) -> bool:
        return all(variable in offset for variable, _ in self.variables)


def in_url(text: str) -> str:
    """ConnectError for what would make another URL."""
    if text.strip() in ("", ".", ".."):
        raise ConnectError(f"the offset {text!r} cannot be a part of http.request.url: it would make another URL")
    return quote(text, safe="")


def in_header(text: str) -> str:
    if text and not sendable(text):
        raise ConnectError(f"the offset {text!r} has characters that a header cannot have")
    return text


def in_json(text: str) -> str:
    """Within a string of JSON."""
    return msgspec.json.encode(text)[1:-1].decode()
