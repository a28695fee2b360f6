r"""Regular expressions as Java's users write them, compiled to Python's: users' configs bring Java's.

The classes `\d`, `\w`, `\s` and `\p{…}` mean ASCII, as in Java.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kconnect.errors import ConfigError, DataError

_LINE_ENDS = r"\n\r\x85\u2028\u2029"
_QUANTIFIER = re.compile(r"\{\d+(,\d*)?\}")
_GROUP_NAME = re.compile(r"<([A-Za-z][A-Za-z0-9]*)>")
_INLINE_FLAGS = re.compile(r"\(\?[a-zA-Z]*(-[a-zA-Z]+)?[:)]")
_NAMED_REPLACEMENT = re.compile(r"\$\{([a-zA-Z][a-zA-Z0-9]*)\}")
_DIGIT = re.compile(r"\d", re.ASCII)

# Inside of square brackets; without flags, Java's classes hold ASCII alone.
_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}
_SETS = {
    "h": r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0b\f\r\x85\u2028\u2029",
}


class JavaPattern:
    """A compiled Java expression; `flags` are IGNORECASE, DOTALL, MULTILINE and VERBOSE of `re`, and UNICODE for
    classes and cases of all letters.

    Raises ConfigError, saying why, for one that Java would refuse, or that uses what Python has not (sets within sets
    of characters, Unicode categories)."""

    def __init__(self, regex: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        try:
            translated = _Translation(regex, dot_all=bool(flags & re.DOTALL)).run()
            self._compiled = re.compile(translated, flags if flags & re.UNICODE else re.ASCII | flags)
        except (re.error, OverflowError) as e:
            raise ConfigError(f"is not a regular expression: {e}", value=regex) from e

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        return self._compiled.fullmatch(text) is not None

    def search_groups(self, text: str) -> tuple[str | None, ...] | None:
        """The groups of the first match anywhere in `text`; None where nothing matches."""
        match = self._compiled.search(text)
        return None if match is None else match.groups()

    def replace_first(self, text: str, replacement: str) -> str:
        """`text` with the first match in it replaced; `$1` and `${name}` in `replacement` stand for groups, a
        backslash takes the next character literally. Raises DataError for a group that there is not."""
        match = self._compiled.search(text)
        if match is None:
            return text
        return text[: match.start()] + "".join(_expanded(match, replacement)) + text[match.end() :]

    def replace_all(self, text: str, replacement: str) -> str:
        """As `replace_first`, of every match."""
        return self._compiled.sub(lambda match: "".join(_expanded(match, replacement)), text)


def valid_regex(name: str, value: str | None) -> None:
    """A validator for keys that hold a Java regular expression."""
    if value is None:
        raise ConfigError("needs a regular expression", key=name)
    try:
        JavaPattern(value)
    except ConfigError as error:
        raise ConfigError(error.reason, key=name, value=value) from error


class _Translation:
    """One pass over a pattern."""

    def __init__(self, pattern: str, *, dot_all: bool = False) -> None:
        self._text = pattern
        self._at = 0
        self._in_set = False
        self._dot_all = dot_all or bool(re.search(r"\(\?[a-zA-Z]*s", pattern))

    def run(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            parts.append(self._next(character))
        return "".join(parts)

    def _next(self, character: str) -> str:
        if character == "\\":
            return self._escape()
        if self._in_set:
            return self._member(character)
        if character == "[":
            self._in_set = True
            if self._text.startswith("^", self._at):
                self._at += 1
                return "[^"
            return "["
        if character == ".":
            return "." if self._dot_all else f"[^{_LINE_ENDS}]"
        if character == "{":
            return self._quantifier()
        if character == "(":
            return self._group()
        return character

    def _member(self, character: str) -> str:
        if character == "]":
            self._in_set = False
        elif character == "[" or (character == "&" and self._text.startswith("&", self._at)):
            raise self._unsupported("sets within sets of characters")
        return character

    def _quantifier(self) -> str:
        found = _QUANTIFIER.match(self._text, self._at - 1)
        if found is None:
            raise self._wrong("{ begins no repetition such as {2,3}")
        self._at = found.end()
        return found[0]

    def _group(self) -> str:
        if self._text.startswith("?<", self._at) and self._text[self._at + 2 : self._at + 3] not in ("=", "!"):
            return f"(?P<{self._name(self._at + 1)}>"
        flags = _INLINE_FLAGS.match(self._text, self._at - 1)
        if flags and set(flags[0]) - set("(?:)-ims"):
            raise self._unsupported(f"the flags {flags[0]}")
        return "("

    def _name(self, start: int) -> str:
        found = _GROUP_NAME.match(self._text, start)
        if found is None:
            raise self._wrong("a group's name must be of letters and digits, and begin with a letter")
        self._at = found.end()
        return found[1]

    def _escape(self) -> str:
        if self._at == len(self._text):
            raise self._wrong("it ends in a single backslash")
        character = self._text[self._at]
        self._at += 1
        special = _ESCAPES.get(character)
        if special is not None:
            return special(self)
        if character in _SETS:
            return self._set(_SETS[character])
        if character in "pP":
            return self._category(negated=character == "P")
        return "\\" + character

    def _set(self, members: str, *, negated: bool = False) -> str:
        if not self._in_set:
            return f"[{'^' if negated else ''}{members}]"
        if negated:
            raise self._unsupported("the complement of a set within a set of characters")
        return members

    def _category(self, *, negated: bool) -> str:
        found = re.compile(r"\{(?:Is)?(\w+)\}").match(self._text, self._at)
        members = _POSIX.get(found[1]) if found else None
        if found is None or members is None:
            raise self._unsupported(rf"\p{self._text[self._at : self._at + 8]}")
        self._at = found.end()
        return self._set(members, negated=negated)

    def _quoted(self) -> str:
        end = self._text.find(r"\E", self._at)
        literal = self._text[self._at : end if end >= 0 else len(self._text)]
        self._at = end + 2 if end >= 0 else len(self._text)
        return re.escape(literal)

    def _back_reference(self) -> str:
        return f"(?P={self._name(self._at)})"

    def _code_point(self) -> str:
        found = re.compile(r"\{([0-9a-fA-F]+)\}").match(self._text, self._at)
        if found is None:
            return r"\x"
        self._at = found.end()
        return re.escape(chr(int(found[1], 16)))

    def _wrong(self, reason: str) -> ConfigError:
        return ConfigError(f"is not a regular expression: {reason}", value=self._text)

    def _unsupported(self, what: str) -> ConfigError:
        return ConfigError(f"uses {what}, which are not supported here", value=self._text)


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
    digits = _DIGIT.match(replacement, position + 1)
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


_ESCAPES: dict[str, Callable[[_Translation], str]] = {
    "Q": _Translation._quoted,
    "k": _Translation._back_reference,
    "x": _Translation._code_point,
    "e": lambda _: r"\x1b",
    "z": lambda _: r"\Z",
    "Z": lambda _: r"(?=\n?\Z)",
    "R": lambda _: r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
}
