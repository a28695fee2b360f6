"""Checks of single configuration values.

A validator is called with the key's name and the parsed value, raises ConfigError for a value that it refuses,
and prints as what it allows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kconnect.errors import ConfigError
from kconnect.java_double import double_to_string

Validator: TypeAlias = Callable[[str, Any], None]


def nearest(word: str, words: Sequence[str]) -> str | None:
    """`did you mean …`, or None when nothing among `words` resembles `word`."""
    from difflib import get_close_matches  # costs 5 ms, and only errors need it

    close = get_close_matches(word, dict.fromkeys(words), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else None


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `min` to `max`, both included; None leaves that side open. Refuses None."""

    min: float | None = None
    max: float | None = None

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError("needs a value", key=name, suggestion=f"allowed: {self}")
        if self.min is not None and value < self.min:
            raise ConfigError("is too small", key=name, value=value, suggestion=f"at least {self.min}")
        if self.max is not None and value > self.max:
            raise ConfigError("is too large", key=name, value=value, suggestion=f"at most {self.max}")

    def __str__(self) -> str:
        ends = (_number(end) for end in (self.min, self.max))
        low, high = ends
        if low is None and high is None:
            return "[...]"
        if low is None:
            return f"[...,{high}]"
        return f"[{low},...]" if high is None else f"[{low},...,{high}]"


def _number(value: float | None) -> str | None:
    return double_to_string(value) if isinstance(value, float) else None if value is None else str(value)


class ValidString:
    """One of `values`, exactly. None is refused unless it is among them."""

    def __init__(self, *values: str | None) -> None:
        self.values = values

    def __call__(self, name: str, value: Any) -> None:
        if value not in self.values:
            _refuse_choice(name, value, self.values)

    def __str__(self) -> str:
        return f"[{', '.join(map(_shown, self.values))}]"


class CaseInsensitiveValidString:
    """One of `values`, in whatever case. None is refused."""

    def __init__(self, *values: str) -> None:
        self.values = tuple(value.upper() for value in values)

    def __call__(self, name: str, value: Any) -> None:
        if value is None or value.upper() not in self.values:
            _refuse_choice(name, value, self.values)

    def __str__(self) -> str:
        return f"(case insensitive) [{', '.join(self.values)}]"


def _refuse_choice(name: str, value: Any, allowed: Sequence[str | None]) -> None:
    choices = f"allowed: {', '.join(map(_shown, allowed)) or 'none'}"
    close = nearest(value, [choice for choice in allowed if choice]) if isinstance(value, str) else None
    raise ConfigError(
        "needs a value" if value is None else "is not an allowed value",
        key=name,
        value=value,
        suggestion=f"{close} {choices}" if close else choices,
    )


def _shown(value: str | None) -> str:
    return "null" if value is None else value


class ValidList:
    """A list of distinct, non-blank items, each one of `values` if there are any.

    `allow_empty` allows the empty list, `allow_null` the absence of a list.
    """

    def __init__(self, *values: str, allow_empty: bool = True, allow_null: bool = False) -> None:
        self.values = values
        self.allow_empty = allow_empty
        self.allow_null = allow_null

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            if not self.allow_null:
                raise ConfigError("needs a value", key=name)
            return
        if not value and not self.allow_empty:
            raise ConfigError("must list at least one item", key=name, suggestion=self._choices())
        if any(isinstance(item, str) and not item.strip() for item in value):
            raise ConfigError("has an empty item", key=name, value=value, suggestion="remove a comma")
        if len(set(value)) < len(value):
            raise ConfigError("names an item twice", key=name, value=value)
        for item in value:
            if self.values and item not in self.values:
                _refuse_choice(name, item, self.values)

    def _choices(self) -> str | None:
        return f"allowed: {', '.join(self.values)}" if self.values else None

    def __str__(self) -> str:
        return f"[{', '.join(self.values)}]" if self.values else ""


class NonEmptyString:
    """Text of at least one character, blanks included; None passes."""

    def __call__(self, name: str, value: Any) -> None:
        if value == "":
            raise ConfigError("must not be empty", key=name)

    def __str__(self) -> str:
        return "non-empty string"


class NonEmptyStringWithoutControlChars:
    """Text of at least one character, none of them an ISO control character; None passes."""

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            return
        if value == "":
            raise ConfigError("must not be empty", key=name)
        controls = sorted({ch for ch in value if unicodedata.category(ch) == "Cc"})
        if controls:
            codes = ", ".join(f"U+{ord(ch):04X}" for ch in controls)
            raise ConfigError(f"contains control characters ({codes})", key=name, value=value)

    def __str__(self) -> str:
        return "non-empty string without ISO control characters"


def is_topic_name(name: str) -> bool:
    """Whether Kafka can have a topic of this name."""
    return _TOPIC.fullmatch(name) is not None and name not in (".", "..")


_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


class TopicName:
    """A name that Kafka can give a topic; None passes."""

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            return
        if value == "":
            raise ConfigError("must not be empty", key=name)
        if not is_topic_name(value):
            raise ConfigError("cannot be the name of a topic", key=name, value=value, suggestion=f"a {self}")

    def __str__(self) -> str:
        return "topic name: at most 249 of the letters a-z, A-Z, 0-9, '.', '_' and '-'"


class NonNullValidator:
    """Anything but None."""

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError("needs a value", key=name)

    def __str__(self) -> str:
        return "non-null string"


class NonEmptyList:
    """A list of at least one item. None is refused."""

    def __call__(self, name: str, value: Any) -> None:
        if not value:
            raise ConfigError("must list at least one item", key=name)

    def __str__(self) -> str:
        return "non-empty list"


class ListSize:
    """A list of at most `max_size` items. None is refused."""

    def __init__(self, max_size: int) -> None:
        self.max_size = max_size

    def __call__(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError("needs a value", key=name)
        if len(value) > self.max_size:
            raise ConfigError(f"has {len(value)} items", key=name, suggestion=f"at most {self.max_size}")

    def __str__(self) -> str:
        return f"List containing maximum of {self.max_size} elements"


class CompositeValidator:
    """All of `validators`, asked in order; the first refusal counts."""

    def __init__(self, *validators: Validator) -> None:
        self.validators = validators

    def __call__(self, name: str, value: Any) -> None:
        for validator in self.validators:
            validator(name, value)

    def __str__(self) -> str:
        return ", ".join(map(str, self.validators))


class Nullable:
    """None passes; anything else goes to `validator`."""

    def __init__(self, validator: Validator) -> None:
        self.validator = validator

    def __call__(self, name: str, value: Any) -> None:
        if value is not None:
            self.validator(name, value)

    def __str__(self) -> str:
        return str(self.validator)


class Described:
    """`check` (any callable), printed as `text`."""

    def __init__(self, check: Validator, text: str) -> None:
        self.check = check
        self.text = text

    def __call__(self, name: str, value: Any) -> None:
        self.check(name, value)

    def __str__(self) -> str:
        return self.text
