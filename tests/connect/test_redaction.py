"""What is hidden of secrets, and what is left of everything else."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import quote

import pytest

from kconnect.config import Password
from kconnect.providers import ConfigData, ConfigProvider, ConfigTransformer
from kconnect.redaction import Redactor, process_redactor

SECRET = "tr0ub4dor'&\"3/é"


@pytest.mark.parametrize(
    "written",
    [SECRET, repr(SECRET)[1:-1], json.dumps(SECRET)[1:-1], quote(SECRET, safe=""), f"before{SECRET}after"],
    ids=["as it is", "repr", "JSON", "URL", "within a word"],
)
def test_a_secret_is_hidden_however_it_is_written(written: str) -> None:
    redactor = Redactor()
    redactor.learn([SECRET])
    assert SECRET not in redactor.redact(f"login {written} refused")
    assert "ub4dor" not in redactor.redact(f"login {written} refused")


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("pw", "pw and pwd", "pw and pwd"),
        ("prod", "the producer of prod", "the producer of [hidden]"),
        ("hunter22", "xhunter22x", "x[hidden]x"),
        ("hunter22\n", "hunter22", "[hidden]"),
        ("hidden", "[hidden] stays", "[hidden] stays"),
    ],
    ids=["too short", "short: alone only", "long: within words", "from a file with an end of line", "the mark itself"],
)
def test_a_short_secret_does_not_tear_words(secret: str, text: str, shown: str) -> None:
    redactor = Redactor()
    redactor.learn([secret])
    assert redactor.redact(text) == shown
    assert redactor.redact(shown) == shown


def test_each_line_of_a_key_is_hidden() -> None:
    redactor = Redactor()
    redactor.learn(["-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----\n"])
    assert redactor.redact("> MIIEvQIBADANBgkqhkiG9w0B") == "> [hidden]"
    assert redactor.redact("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_a_longer_secret_is_hidden_whole_where_a_part_of_it_is_one_too() -> None:
    redactor = Redactor()
    redactor.learn(["correct-horse", "correct-horse-battery"])
    assert redactor.redact("correct-horse-battery correct-horse") == "[hidden] [hidden]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "cannot reach jdbc:oracle:thin:scott/tiger@//db:1521/x",
            "cannot reach jdbc:oracle:thin:scott/[hidden]@//db:1521/x",
        ),
        ("jdbc:sqlserver://db;user=u;password={a;b};x=1", "jdbc:sqlserver://db;user=u;password=[hidden];x=1"),
        ("conninfo host=db password='a b' dbname=x", "conninfo host=db password=[hidden] dbname=x"),
        ("at postgresql://u:pw@db/shop, twice", "at postgresql://u:[hidden]@db/shop, twice"),
        ("password=${file:/etc/pw:db}", "password=${file:/etc/pw:db}"),
        ("connection.password: is required", "connection.password: is required"),
        ("see http://docs/x and write to me@here", "see http://docs/x and write to me@here"),
    ],
)
def test_passwords_in_texts_are_hidden_though_nobody_named_them(text: str, shown: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == shown
    assert redactor.redact(shown) == shown


def test_a_listener_hears_what_was_known_and_what_is_learned() -> None:
    redactor, heard = Redactor(), list[str]()
    redactor.learn(["the first one"])
    redactor.tell(heard.extend)
    redactor.learn(["the second one", "the first one", "abc"])
    assert heard == ["the first one", "the second one"]


def test_a_password_is_hidden_from_when_it_is_made() -> None:
    Password("made-in-a-test-1")
    assert process_redactor.redact("made-in-a-test-1") == "[hidden]"


def test_what_a_provider_gives_is_hidden_but_for_keys_that_hold_no_secret() -> None:
    class Store(ConfigProvider):
        def get(self, path: str, keys: object) -> ConfigData:
            return ConfigData({"token": "given-by-a-provider", "topic": "orders-of-a-provider"})

    transformer = ConfigTransformer({"store": Store()})
    transformer.transform({"header": "Bearer ${store:token}", "shop.topic": "${store:topic}"})
    told = process_redactor.redact("given-by-a-provider orders-of-a-provider")
    assert told == "[hidden] orders-of-a-provider"


HOSTILE = """
from kconnect.redaction import Redactor
shapes = ["?", "token", "?token", ";token={", "://:", "://a:b", "jdbc:oracle:a:/", "jdbc:oracle:a:b", "password=${ "]
for shape in shapes:
    Redactor().redact("x://jdbc:?" + shape * (400_000 // len(shape)))
"""


def test_no_text_takes_the_square_of_its_length() -> None:
    # Milliseconds when the work grows with the length, hours when it grows with its square.
    subprocess.run([sys.executable, "-c", HOSTILE], check=True, timeout=120)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://a/?next=http://b/?token=abc", "http://a/?next=http://b/?token=[hidden]"),
        ("x://a;a.token.b={a;b};c=d", "x://a;a.token.b=[hidden];c=d"),
        ("jdbc:oracle:thin:scott/tiger@db", "jdbc:oracle:thin:scott/[hidden]@db"),
    ],
)
def test_passwords_are_found_wherever_they_are_in_a_url(text: str, shown: str) -> None:
    assert Redactor().redact(text) == shown
