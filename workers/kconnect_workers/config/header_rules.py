"""Rules for the headers of REST answers: `response.http.headers.config`, in Kafka Connect's form.

Rules are separated by commas, one that holds a comma is put in double quotes: `set X-Frame-Options: DENY, "add
Cache-Control: no-cache, no-store", setDate Expires: 3600000`.
"""

from __future__ import annotations

import csv
import enum
import re
from dataclasses import dataclass
from typing import Any

from kconnect.errors import ConfigError

KEY = "response.http.headers.config"

_RULE = re.compile(r"(?P<action>\w+)\s+(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(?P<value>[\t -~\u00a0-\u00ff]*)")


class HeaderAction(enum.Enum):
    """What a rule does with its header."""

    SET = "set"
    ADD = "add"
    SET_DATE = "setDate"
    ADD_DATE = "addDate"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """One header of every answer. The value of a date is how many milliseconds from the answer on it lies."""

    action: HeaderAction
    name: str
    value: str

    @property
    def replaces(self) -> bool:
        """Whether what the answer has under this name gives way."""
        return self.action in (HeaderAction.SET, HeaderAction.SET_DATE)

    @property
    def date_offset_ms(self) -> int | None:
        """None where the value is not a date."""
        return int(self.value) if self.action in (HeaderAction.SET_DATE, HeaderAction.ADD_DATE) else None


def header_rules(text: str | None) -> list[HeaderRule]:
    """The rules in `text`, none if it is empty. ConfigError for what is no rule."""
    try:
        items = next(csv.reader([text or ""], skipinitialspace=True), [])
    except csv.Error as e:
        raise ConfigError(f"has a rule that is none: {text!r} ({e})", key=KEY) from e
    return [_rule(item.strip()) for item in items]


def valid_header_rules(name: str, value: Any) -> None:
    """A validator."""
    header_rules(value)


def _rule(text: str) -> HeaderRule:
    match = _RULE.fullmatch(text)
    action = None if match is None else _ACTIONS.get(match["action"].lower())
    if match is None or action is None:
        raise ConfigError(
            f"has a rule that is none: {text}", key=KEY, suggestion="write it like add X-Frame-Options: DENY"
        )
    rule = HeaderRule(action, match["name"], match["value"].strip())
    try:
        rule.date_offset_ms  # noqa: B018 - that it can be read
    except ValueError:
        raise ConfigError(
            f"has a rule without a number of milliseconds: {text}",
            key=KEY,
            suggestion="such as setDate Expires: 3600000",
        ) from None
    return rule


_ACTIONS = {action.value.lower(): action for action in HeaderAction}
