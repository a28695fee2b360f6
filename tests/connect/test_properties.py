"""Properties files as java.util.Properties reads them."""

from __future__ import annotations

import pytest

from kconnect.errors import ConfigError
from kconnect.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a:1", {"a": "1"}),
        ("a 1", {"a": "1"}),
        ("a = : 1", {"a": ": 1"}),
        ("  a\t=\t1 ", {"a": "1 "}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=1", {"": "1"}),
        ("a=1\r\nb=2\rc=3\n", {"a": "1", "b": "2", "c": "3"}),
        ("# no\n! no\n  # no\na=1 # yes", {"a": "1 # yes"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=1\\\n   ,2\\\n,3", {"a": "1,2,3"}),
        ("a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),
        ("a=1\\", {"a": "1"}),
        ("a\\=b\\:c\\ d=1", {"a=b:c d": "1"}),
        (r"a=\t\n\r\f\q\\", {"a": "\t\n\r\fq\\"}),
        (r"a=\u00e9\u20AC", {"a": "é€"}),
        (r"a=\ud83d\ude00", {"a": "😀"}),
        ("path=C:\\\\data", {"path": "C:\\data"}),
        ("a=x=y:z", {"a": "x=y:z"}),
        ("\n\n  \n", {}),
        ("ключ=значение", {"ключ": "значение"}),
    ],
)
def test_reads_what_java_reads(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


@pytest.mark.parametrize("text", [r"a=\u12", r"ok=1" + "\n" + r"a=\uzzzz"])
def test_refuses_a_broken_unicode_escape_and_names_the_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"line \d: \\u must be followed by four hexadecimal digits"):
        parse_properties(text)
