"""Exchanges that were recorded with Apache Kafka Connect 4.3.1, in their order on one worker, and how ours compare.

`transcripts.jsonl` keeps what is compared: wording (messages, documentation, traces) was left out of it. The rules of
`differences.toml` say what is not replayed, and where ours answers otherwise on purpose.
"""

from __future__ import annotations

import http.client
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).parent

_KAFKA_VERSION = "4.3.1"
_UNCOMPARED = frozenset(
    {"documentation", "display_name", "trace", "message", "worker_id", "version", "commit", "kafka_cluster_id"}
)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


@dataclass(frozen=True)
class Exchange:
    number: int
    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None
    answer: Answer

    def __str__(self) -> str:
        return f"{self.number}-{self.name}"


@dataclass(frozen=True)
class LeftOut:
    """Exchanges that are not replayed: `about` is searched in name, path and body."""

    about: re.Pattern[str]
    reason: str
    mode: str | None = None
    """The mode of worker that they are not replayed on, if it is one alone."""

    def applies(self, exchange: Exchange) -> bool:
        return self.about.search(f"{exchange.name} {exchange.path} {exchange.body or ''}") is not None


@dataclass(frozen=True)
class Difference:
    """What ours answers to some exchanges: another status, or another body."""

    reason: str
    exchanges: tuple[str, ...]
    status: int | None = None
    body: Any = None
    any_body: bool = False
    replace: Mapping[str, str] | None = None
    """Texts in the recorded body, by what stands in ours instead."""

    def expected(self, recorded: Answer) -> Answer:
        status = self.status or recorded.status
        if self.body is not None:
            return Answer(status, self.body)
        if status >= 400:
            return Answer(status, {"error_code": status, "message": "…"})
        text = json.dumps(recorded.body)
        for theirs, ours in (self.replace or {}).items():
            text = text.replace(theirs, ours)
        return Answer(status, json.loads(text))


class Rules:
    def __init__(self) -> None:
        rules = tomllib.loads((HERE / "differences.toml").read_text(encoding="utf-8"))
        self.left_out = [
            LeftOut(re.compile(rule["about"]), rule["reason"], rule.get("mode")) for rule in rules["left_out"]
        ]
        self.differences = [
            Difference(**{**rule, "exchanges": tuple(rule["exchanges"])}) for rule in rules["difference"]
        ]
        self._ignored_keys = frozenset(key for rule in rules["ignored"] for key in rule.get("keys", ()))
        self._ignored_names = [re.compile(name) for rule in rules["ignored"] for name in rule.get("names", ())]

    def reason_to_leave_out(self, exchange: Exchange, mode: str) -> str | None:
        rules = [rule for rule in self.left_out if rule.mode in (None, mode)]
        return next((rule.reason for rule in rules if rule.applies(exchange)), None)

    def difference(self, exchange: Exchange) -> Difference | None:
        return next((rule for rule in self.differences if exchange.name in rule.exchanges), None)

    def agree(self, exchange: Exchange, ours: Answer) -> bool:
        expected = self.expected(exchange)
        difference = self.difference(exchange)
        if difference is not None and difference.any_body:
            return ours.status == expected.status
        return self.comparable(ours) == expected

    def expected(self, exchange: Exchange) -> Answer:
        difference = self.difference(exchange)
        return self.comparable(exchange.answer if difference is None else difference.expected(exchange.answer))

    def comparable(self, answer: Answer) -> Answer:
        """Without wording, versions and worker ids; what has names is in their order."""
        return Answer(answer.status, self._comparable("", answer.body))

    def _comparable(self, key: str, value: Any) -> Any:
        if key == "errors" and isinstance(value, list):
            return len(value)
        if key in _UNCOMPARED and isinstance(value, str):
            return "…"
        if isinstance(value, dict):
            return {k: self._comparable(k, item) for k, item in value.items() if k not in self._ignored_keys}
        if isinstance(value, list):
            kept = [self._comparable("", item) for item in value if not self._is_ignored(_name(item))]
            return sorted(kept, key=_name)
        return value

    def _is_ignored(self, name: str) -> bool:
        return any(pattern.search(name) for pattern in self._ignored_names)


def recorded_exchanges() -> list[Exchange]:
    return list(_exchanges("/data", _KAFKA_VERSION))


def exchanges(folder: Path, version: str) -> Iterator[Exchange]:
    """The exchanges with `folder` for the recording's /data, and `version` for Kafka's."""
    return _exchanges(str(folder), version)


def _exchanges(folder: str, version: str) -> Iterator[Exchange]:
    def ours(text: str) -> str:
        return text.replace("/data/", f"{folder}/").replace(_KAFKA_VERSION, version).replace("%5B4.0", "%5B0.0")

    for line in (HERE / "transcripts.jsonl").read_text(encoding="utf-8").splitlines():
        recorded = json.loads(line)
        yield Exchange(
            recorded["n"],
            recorded["name"],
            recorded["method"],
            recorded["path"] + (f"?{ours(recorded['query'])}" if recorded["query"] else ""),
            recorded["request_headers"],
            None if recorded["request_body"] is None else ours(recorded["request_body"]),
            Answer(recorded["status"], json.loads(ours(json.dumps(recorded["response_json"])))),
        )


def send(exchange: Exchange, url: str) -> Answer:
    """Make the request as it was made, byte for byte."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        body = None if exchange.body is None else exchange.body.encode()
        connection.request(exchange.method, exchange.path, body, dict(exchange.headers))
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, json.loads(content) if content else None)
    finally:
        connection.close()


def _name(item: Any) -> str:
    """What an item of a list is called: itself, or its key, class or definition."""
    if not isinstance(item, dict):
        return str(item)
    definition = item.get("definition")
    named = definition if isinstance(definition, dict) else item
    return str(named.get("name") or named.get("class") or named.get("id"))
