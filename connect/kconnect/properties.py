"""Java's .properties files, read as `java.util.Properties` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kconnect.errors import ConfigError

_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_LINE_END = re.compile(r"\r\n|\n|\r")
_UNICODE = re.compile(r"[0-9a-fA-F]{4}")


def parse_properties(text: str) -> dict[str, str]:
    r"""The keys and values of `text`; of a key given twice, the last value.

    `=`, `:` or blanks part key and value, `#` and `!` begin a comment line, a line that ends in an odd number of
    backslashes goes on in the next, and `\t \n \r \f \uXXXX` stand for characters. Blanks at the end of a value are
    part of it. ConfigError, with the line's number, for a `\u` that is not followed by four hexadecimal digits.
    """
    properties: dict[str, str] = {}
    for number, line in _logical_lines(text):
        end = _key_end(line)
        value = line[end:].lstrip(_BLANK)
        if value[:1] in ("=", ":"):
            value = value[1:].lstrip(_BLANK)
        properties[_unescape(line[:end], number)] = _unescape(value, number)
    return properties


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, comments and empty ones left out, each with its first line's number."""
    lines = iter(enumerate(_LINE_END.split(text), start=1))
    for number, raw in lines:
        line = raw.lstrip(_BLANK)
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2:
            line = line[:-1] + next(lines, (0, ""))[1].lstrip(_BLANK)
        yield number, line


def _key_end(line: str) -> int:
    """Where the key ends: at the first separator that no backslash escapes."""
    i = 0
    while i < len(line):
        if line[i] == "\\":
            i += 2
        elif line[i] in "=:" or line[i] in _BLANK:
            return i
        else:
            i += 1
    return len(line)


def _unescape(text: str, number: int) -> str:
    if "\\" not in text:
        return text
    characters: list[str] = []
    i = 0
    while i < len(text):
        character = text[i]
        i += 1
        if character == "\\" and i < len(text):
            escaped = text[i]
            i += 1
            if escaped == "u":
                digits = text[i : i + 4]
                if not _UNICODE.fullmatch(digits):
                    raise ConfigError(
                        rf"line {number}: \u must be followed by four hexadecimal digits",
                        suggestion=r"write a backslash as \\",
                    )
                character = chr(int(digits, 16))
                i += 4
            else:
                character = _ESCAPES.get(escaped, escaped)
        elif character == "\\":
            continue
        characters.append(character)
    # Characters beyond U+FFFF are escaped as two halves.
    return "".join(characters).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
