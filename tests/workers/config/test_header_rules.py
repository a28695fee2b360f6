"""Rules for the headers of REST answers."""

from __future__ import annotations

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.config.header_rules import HeaderAction, HeaderRule, header_rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (None, []),
        ("", []),
        ("add X-Frame-Options: DENY", [HeaderRule(HeaderAction.ADD, "X-Frame-Options", "DENY")]),
        (
            " SET  a:b ,addDate  D : -5",
            [HeaderRule(HeaderAction.SET, "a", "b"), HeaderRule(HeaderAction.ADD_DATE, "D", "-5")],
        ),
        ('"set a: b, c",set d:', [HeaderRule(HeaderAction.SET, "a", "b, c"), HeaderRule(HeaderAction.SET, "d", "")]),
        ("set a: http://b:1", [HeaderRule(HeaderAction.SET, "a", "http://b:1")]),
    ],
)
def test_rules_are_read_as_kafka_connect_reads_them(text: str | None, rules: list[HeaderRule]) -> None:
    assert header_rules(text) == rules


@pytest.mark.parametrize(
    "text",
    ["drop a: b", "set a", "set : b", "seta:b", "add a b: c", "set a: b,", "set a: b\nc: d", "set a: €", "add ü: b"],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"response\.http\.headers\.config: has a rule that is none"):
        header_rules(text)


def test_a_date_is_a_number_of_milliseconds() -> None:
    with pytest.raises(ConfigError, match="number of milliseconds: setDate Expires: tomorrow"):
        header_rules("setDate Expires: tomorrow")
