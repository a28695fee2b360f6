"""The ways to write a name of several words (`from`, `to`)."""

from __future__ import annotations

import enum
import re
import string
from collections.abc import Callable

_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _upper(word: str) -> str:
    return word.translate(_UPPER)


def _lower(word: str) -> str:
    return word.translate(_LOWER)


def _capital(word: str) -> str:
    return _upper(word[:1]) + _lower(word[1:])


class CaseFormat(enum.Enum):
    """Where words begin, what stands between them, and how the first and the others are written. Only ASCII letters
    have a case."""

    LOWER_HYPHEN = ("-", "-", _lower, _lower)
    LOWER_UNDERSCORE = ("_", "_", _lower, _lower)
    LOWER_CAMEL = ("(?=[A-Z])", "", _lower, _capital)
    UPPER_CAMEL = ("(?=[A-Z])", "", _capital, _capital)
    UPPER_UNDERSCORE = ("_", "_", _upper, _upper)

    def __init__(
        self, boundary: str, separator: str, write_first: Callable[[str], str], write: Callable[[str], str]
    ) -> None:
        self._boundary = re.compile(boundary)
        self._separator = separator
        self._write_first = write_first
        self._write = write

    def to(self, other: CaseFormat, name: str) -> str:
        """`name`, which is written this way, the `other` way."""
        if other is self:
            return name
        words = self._boundary.split(name)
        if not self._separator and words[0] == "" and len(words) > 1:
            del words[0]  # a capital at the start begins no second word
        return other._separator.join([other._write_first(words[0]), *map(other._write, words[1:])])
