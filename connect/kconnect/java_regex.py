r"""Regular expressions as Java's users write them, run by Python's `re`.

Translated are quoting (`\Q…\E`), named groups, POSIX classes (`\p{Alpha}`), `\z`, `\h` and `\R`; the classes `\d`,
`\w` and `\s` mean ASCII, as in Java. What Python has no counterpart for (class unions and intersections, other
Unicode properties) is refused with a ConfigError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kconnect.errors import ConfigError, DataError

_PROPERTIES = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7F",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1F\x7F",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0B\f\r",
}
_HORIZONTAL = r" \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_LINE_BREAK = r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])"
_COUNT = re.compile(r"\{\d+(?:,\d*)?\}")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\w+)\}|(\w))")
_NAMED_GROUP = re.compile(r"\(\?<([a-zA-Z][a-zA-Z0-9]*)>")
_NAMED_REFERENCE = re.compile(r"\\k<([a-zA-Z][a-zA-Z0-9]*)>")
_NAMED_REPLACEMENT = re.compile(r"\$\{([a-zA-Z][a-zA-Z0-9]*)\}")


class JavaPattern:
    """A compiled Java expression. Raises ConfigError for one that is malformed or has no counterpart."""

    def __init__(self, regex: str) -> None:
        try:
            self._compiled = re.compile("".join(_translated(regex)), re.ASCII)
        except re.error as error:
            raise ConfigError(f"not a regular expression: {error}", value=regex) from error

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        return self._compiled.fullmatch(text) is not None

    def replace_first(self, text: str, replacement: str) -> str:
        """`text` with the first match in it replaced; `$1` and `${name}` in `replacement` stand for groups, a
        backslash takes the next character literally. Raises DataError for a group that there is not."""
        match = self._compiled.search(text)
        if match is None:
            return text
        return text[: match.start()] + "".join(_expanded(match, replacement)) + text[match.end() :]


def valid_regex(name: str, value: str | None) -> None:
    """A validator for keys that hold a Java regular expression."""
    if value is None:
        raise ConfigError("needs a regular expression", key=name)
    try:
        JavaPattern(value)
    except ConfigError as error:
        raise ConfigError(error.reason, key=name, value=value) from error


def _translated(regex: str) -> Iterator[str]:
    position, in_class = 0, False
    while position < len(regex):
        rest = regex[position : position + 2]
        if rest == r"\Q":
            end = regex.find(r"\E", position)
            end = len(regex) if end < 0 else end
            yield re.escape(regex[position + 2 : end])
            position = end + 2
        elif rest.startswith("\\"):
            piece, position = _escape(regex, position, in_class)
            yield piece
        elif in_class:
            if rest.startswith("[") or rest == "&&":
                raise ConfigError(f"unions and intersections of character classes are not supported: {regex}")
            in_class = not rest.startswith("]")
            yield rest[0]
            position += 1
        elif rest.startswith("["):
            opening = re.compile(r"\[\^?\]?").match(regex, position)
            assert opening is not None
            yield opening[0]
            position, in_class = opening.end(), True
        elif rest.startswith("{"):
            count = _COUNT.match(regex, position)
            if count is None:
                raise ConfigError(f"not a regular expression: a repetition at position {position} has no end: {regex}")
            yield count[0]
            position = count.end()
        elif named := _NAMED_GROUP.match(regex, position):
            yield f"(?P<{named[1]}>"
            position = named.end()
        else:
            yield rest[0]
            position += 1


def _escape(regex: str, position: int, in_class: bool) -> tuple[str, int]:
    """The translation of the escape at `position`, and where it ends."""
    known = _PROPERTY.match(regex, position)
    if known is not None:
        content = _PROPERTIES.get(known[2] or known[3])
        if content is None or (in_class and known[1] == "P"):
            raise ConfigError(f"the character class {known[0]} is not supported: {regex}")
        return (content if in_class else f"[{'^' if known[1] == 'P' else ''}{content}]"), known.end()
    reference = _NAMED_REFERENCE.match(regex, position)
    if reference is not None:
        return f"(?P={reference[1]})", reference.end()
    pair = regex[position : position + 2]
    plain = {
        r"\z": r"\Z",
        r"\Z": r"(?=\n?\Z)",
        r"\h": _HORIZONTAL if in_class else f"[{_HORIZONTAL}]",
        r"\R": _LINE_BREAK,
        r"\e": r"\x1b",
    }
    return plain.get(pair, pair), position + 2


def _expanded(match: re.Match[str], replacement: str) -> Iterator[str]:
    position = 0
    while position < len(replacement):
        character = replacement[position]
        if character == "\\":
            if position + 1 == len(replacement):
                raise DataError(f"replacement {replacement!r} ends in a lone backslash")
            yield replacement[position + 1]
            position += 2
        elif character == "$":
            piece, position = _group(match, replacement, position)
            yield piece
        else:
            yield character
            position += 1


def _group(match: re.Match[str], replacement: str, position: int) -> tuple[str, int]:
    """What the reference at `position` stands for, and where it ends: as many digits as name a group."""
    named = _NAMED_REPLACEMENT.match(replacement, position)
    if named is not None:
        if named[1] not in match.re.groupindex:
            raise DataError(f"replacement {replacement!r}: the regex has no group {named[1]!r}")
        return match[named[1]] or "", named.end()
    digits = re.compile(r"\d").match(replacement, position + 1)
    if digits is None:
        raise DataError(f"replacement {replacement!r}: $ at position {position} names no group; write \\$ for a dollar")
    number, end = int(digits[0]), digits.end()
    while (
        end < len(replacement)
        and replacement[end].isdecimal()
        and number * 10 + int(replacement[end]) <= match.re.groups
    ):
        number = number * 10 + int(replacement[end])
        end += 1
    if number > match.re.groups:
        raise DataError(f"replacement {replacement!r}: the regex has no group {number}")
    return match[number] or "", end
