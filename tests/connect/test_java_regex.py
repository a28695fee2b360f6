"""Java's regular expressions in Python."""

from __future__ import annotations

import re

import pytest

from kconnect.errors import ConfigError
from kconnect.java_regex import JavaPattern, valid_regex


@pytest.mark.parametrize(
    ("pattern", "matching", "not_matching"),
    [
        ("a.*", "a-b", "a\nb"),
        ("(?s)a.b", "a\nb", "ab"),
        (r"(?<table>\w+)-\k<table>", "x-x", "x-y"),
        (r"\Qa.b\E+", "a.bb", "axb"),
        (r"\Qa.b", "a.b", "axb"),
        (r"\p{Alpha}\p{Digit}", "a1", "é1"),
        (r"[\p{Lower}_]+", "a_b", "A"),
        (r"\P{Upper}", "a", "A"),
        (r"\h+", " \t\xa0", "\n"),
        (r"\R", "\r\n", "x"),
        (r"a\z", "a", "a\n"),
        (r"\d+", "12", "١٢"),
        (r"a{2,}+b", "aab", "ab"),
        (r"(?i)ABC", "abc", "abd"),
        (r"(?<=x)?a", "a", "b"),
        ("[^a]", "b", "a"),
        ("[.]", ".", "a"),
        ("[{]", "{", "a"),
        ("", "", "a"),
        (r"\[\{", "[{", "["),
    ],
)
def test_means_what_java_means(pattern: str, matching: str, not_matching: str) -> None:
    compiled = JavaPattern(pattern)
    assert compiled.matches(matching)
    assert not compiled.matches(not_matching)


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "*",
        "(",
        "a{2",
        "a{,2}",
        "{",
        "(?<1a>x)",
        "\\",
        "[a-",
        r"\p{Lu}",
        "[a-z&&[^b]]",
        "[a[b]]",
        r"\k<a>",
    ],
)
def test_refuses_what_java_refuses_and_what_python_has_not(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"regular expression|not supported"):
        JavaPattern(pattern)


def test_the_validator_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"topics\.regex='\['"):
        valid_regex("topics.regex", "[")


@pytest.mark.parametrize(
    ("flags", "pattern", "text", "replaced"),
    [
        (re.NOFLAG, "(.)_", "a_b_c", "<a><b>c"),
        (re.NOFLAG, "a*", "baa", "<>b<aa><>"),
        (re.IGNORECASE, "A(.)", "axAy", "<ax><Ay>"),
        (re.DOTALL, "a.b", "a\nb", "<a\nb>"),
        (re.VERBOSE, "a  b", "ab", "<ab>"),
        (re.NOFLAG, r"\w", "é", "é"),
        (re.UNICODE, r"\w", "é", "<é>"),
    ],
)
def test_every_match_is_replaced(flags: re.RegexFlag, pattern: str, text: str, replaced: str) -> None:
    group = "$1" if pattern == "(.)_" else "$0"
    assert JavaPattern(pattern, flags).replace_all(text, f"<{group}>") == replaced


def test_groups_of_the_first_match_are_found() -> None:
    assert JavaPattern("(b)(x)?").search_groups("abc") == ("b", None)
    assert JavaPattern("x").search_groups("abc") is None
