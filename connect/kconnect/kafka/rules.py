"""What can become of a Java client setting: kept, renamed, converted, done by kconnect itself, refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from kconnect.errors import ConfigError

Props: TypeAlias = Mapping[str, str]
Translation: TypeAlias = Callable[[str, str, Props], dict[str, str]]
"""key, value, all settings given → librdkafka's settings. Raises ConfigError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one Java setting is translated. `note` says why nothing comes of it, where nothing does."""

    translate: Translation
    note: str = ""


def same() -> Rule:
    """librdkafka has the same setting."""
    return Rule(translate=lambda key, value, props: {key: value})


def to(name: str) -> Rule:
    """librdkafka calls it `name`."""
    return Rule(translate=lambda key, value, props: {name: value})


def number(*names: str, low: int = 0, high: int = 2**31 - 1, scale: Callable[[int], int] | None = None) -> Rule:
    """A whole number, under `names` (none: the same name); brought to what librdkafka takes, `low` to `high`."""

    def translate(key: str, value: str, props: Props) -> dict[str, str]:
        try:
            given = int(value)
        except ValueError:
            raise ConfigError("not a whole number", key=key, value=value) from None
        scaled = scale(given) if scale else given
        bounded = str(min(max(scaled, low), high))
        return dict.fromkeys(names or (key,), bounded)

    return Rule(translate=translate)


def choice(*words: str, renamed: Mapping[str, str] = MappingProxyType({})) -> Rule:
    """One of `words`, in any case; `renamed` are those that librdkafka calls otherwise."""

    def translate(key: str, value: str, props: Props) -> dict[str, str]:
        word = value.lower()
        if word not in words:
            raise ConfigError(
                "not a value that kconnect can give effect to",
                key=key,
                value=value,
                suggestion="one of " + ", ".join(words),
            )
        return {key: renamed.get(word, word)}

    return Rule(translate=translate)


def boolean() -> Rule:
    """True or false, under the same name."""
    return choice("true", "false")


def handled(note: str) -> Rule:
    """kconnect does itself what the setting asks for, or nothing depends on it."""
    return Rule(translate=lambda key, value, props: {}, note=note)


def handled_number(note: str, *, low: int) -> Rule:
    """kconnect itself goes by this whole number, of at least `low`."""

    def translate(key: str, value: str, props: Props) -> dict[str, str]:
        try:
            given = int(value)
        except ValueError:
            raise ConfigError("not a whole number", key=key, value=value) from None
        if given < low:
            raise ConfigError(f"must be at least {low}", key=key, value=value)
        return {}

    return Rule(translate=translate, note=note)


def part_of(key: str) -> Rule:
    """Read together with another setting."""
    return handled(f"read together with {key}")


def refused(reason: str, *, unless: str | None = None) -> Rule:
    """There is no counterpart; the Java client's default `unless` (and an empty value) changes nothing and passes."""

    def translate(key: str, value: str, props: Props) -> dict[str, str]:
        if value and value != unless:
            raise ConfigError(reason, key=key, value=value, suggestion="remove it")
        return {}

    return Rule(translate=translate, note=reason)
