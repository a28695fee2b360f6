"""Regular expressions as Java reads them, compiled to Python's: users' configs bring Java's."""

from __future__ import annotations

import re
from collections.abc import Callable

from kconnect.errors import ConfigError

_LINE_ENDS = r"\n\r\x85\u2028\u2029"
_QUANTIFIER = re.compile(r"\{\d+(,\d*)?\}")
_GROUP_NAME = re.compile(r"<([A-Za-z][A-Za-z0-9]*)>")
_INLINE_FLAGS = re.compile(r"\(\?[a-zA-Z]*(-[a-zA-Z]+)?[:)]")

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


def compile_java(pattern: str) -> re.Pattern[str]:
    """`pattern` with Java's meaning. ConfigError, saying why, for one that Java would refuse, or that uses what Python
    has not (intersections of character classes, Unicode categories)."""
    try:
        return re.compile(_Translation(pattern).run(), re.ASCII)
    except (re.error, OverflowError) as e:
        raise ConfigError(f"is not a regular expression: {e}", value=pattern) from e


class ValidRegex:
    """A regular expression, in Java's syntax. None passes."""

    def __call__(self, name: str, value: object) -> None:
        if isinstance(value, str):
            try:
                compile_java(value)
            except ConfigError as e:
                raise ConfigError(e.reason, key=name, value=value, suggestion=e.suggestion) from e

    def __str__(self) -> str:
        return "valid regex"


class _Translation:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._in_set = False
        self._dot_all = bool(re.search(r"\(\?[a-zA-Z]*s", pattern))

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


_ESCAPES: dict[str, Callable[[_Translation], str]] = {
    "Q": _Translation._quoted,
    "k": _Translation._back_reference,
    "x": _Translation._code_point,
    "e": lambda _: r"\x1b",
    "z": lambda _: r"\Z",
    "Z": lambda _: r"(?=\n?\Z)",
    "R": lambda _: r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])",
}
