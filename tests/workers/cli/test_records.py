"""Topics and records on the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from kconnect.testing.broker import EmbeddedLog

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_lines_that_were_produced_are_consumed_in_order(kconnect: Run, log: EmbeddedLog):
    lines = [f"line {n}" for n in range(1000)]
    sent = kconnect("produce", "lines", "-b", log.bootstrap_servers, stdin="\n".join(lines) + "\n")
    assert sent.returncode == 0, sent.stderr
    read = kconnect("consume", "lines", "-b", log.bootstrap_servers, "--from-beginning", "--exit")
    assert read.returncode == 0, read.stderr
    assert read.stdout.splitlines() == lines


def test_a_key_is_cut_off_at_the_separator_and_shown_in_json(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "keyed", "-b", log.bootstrap_servers, "-K", ":", stdin="a:1\nno key\n")
    read = kconnect("consume", "keyed", "-b", log.bootstrap_servers, "--from-beginning", "-n", "2", "-o", "json")
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(read.stdout)
    second, _ = decoder.raw_decode(read.stdout[end:].lstrip())
    assert (first["key"], first["value"], first["offset"]) == ("a", "1", 0)
    assert (second["key"], second["value"], second["offset"]) == (None, "no key", 1)


def test_topics_are_listed_with_their_records(kconnect: Run, log: EmbeddedLog):
    kconnect("produce", "listed", "-b", log.bootstrap_servers, stdin="one\ntwo\n")
    answer = kconnect("topics", "-b", log.bootstrap_servers, "-o", "json")
    topics = {topic["topic"]: topic for topic in json.loads(answer.stdout)}
    assert topics["listed"] == {"topic": "listed", "partitions": 1, "records": 2}
    table = kconnect("topics", "-b", log.bootstrap_servers)
    assert any(line.split() == ["listed", "1", "2"] for line in table.stdout.splitlines())


def test_a_topic_that_is_not_there_is_said_and_not_made(kconnect: Run, log: EmbeddedLog):
    done = kconnect("consume", "absent", "-b", log.bootstrap_servers, "--exit")
    assert done.returncode == 4
    assert "absent" in done.stderr
    assert "absent" not in kconnect("topics", "-b", log.bootstrap_servers).stdout
