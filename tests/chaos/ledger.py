"""The outside world of a history: a source whose records are known, a sink that writes down what it gets."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.checker import (
    Arrival,
    LogRecord,
    Verdict,
    ViolationError,
    committed_offsets,
    compare,
    read_topic,
    stored_offsets,
)

__all__ = ["Journal", "SinkLedger", "SourceLedger"]

OFFSETS_TOPIC = "connect-offsets"


@dataclass(frozen=True, slots=True)
class Journal:
    """What a plugin of this suite wrote down; a killed process leaves it complete."""

    file: Path

    def entries(self, what: str) -> Iterator[dict[str, Any]]:
        if self.file.exists():
            lines = self.file.read_bytes().split(b"\n")[:-1]
            yield from (entry for entry in map(json.loads, lines) if entry["what"] == what)

    @property
    def lives(self) -> int:
        return sum(1 for _ in self.entries("start"))

    def last(self, what: str) -> dict[str, Any]:
        """LookupError when there is none."""
        found = [*self.entries(what)]
        if not found:
            raise LookupError(f"nothing was written down about {what}")
        return found[-1]

    @property
    def pid(self) -> int:
        """Of the task's last life."""
        return int(self.last("start")["pid"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLedger:
    """A LedgerSource connector, and what it was to bring. Stream s has the key `s` and the ids `s:0`, `s:1` …; the
    records that are `rare` have the key `rare`."""

    folder: Path
    name: str = "ledger"
    limit: int = 2000
    streams: int = 2
    drop_every: int = 0
    rare_every: int = 0
    props: dict[str, str] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return f"{self.name}-records"

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / f"{self.name}.journal")

    @property
    def connector(self) -> dict[str, Any]:
        config = {
            "connector.class": "LedgerSource",
            "topic": self.topic,
            "journal": str(self.journal.file),
            "limit": str(self.limit),
            "streams": str(self.streams),
            "rare.every": str(self.rare_every),
            **self.props,
        }
        if self.drop_every:
            config |= {
                "drop.every": str(self.drop_every),
                "transforms": "drop",
                "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
                "transforms.drop.predicate": "marked",
                "predicates": "marked",
                "predicates.marked.type": "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
                "predicates.marked.name": "drop",
            }
        return {"name": self.name, "config": config}

    @property
    def expected(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for stream in range(self.streams):
            for n in range(self.limit):
                if not self.drop_every or n % self.drop_every:
                    rare = stream == 0 and self.rare_every and n % self.rare_every == 0
                    found["rare" if rare else str(stream)].append(f"{stream}:{n}")
        return dict(found)

    def stored(self, bootstrap: str) -> dict[int, int]:
        """By stream, the last number whose offset is stored, -1 for none; read from the offsets topic."""
        found = stored_offsets(bootstrap, OFFSETS_TOPIC, self.name, "stream", "n")
        return {stream: found.get(str(stream), -1) for stream in range(self.streams)}

    def handed_over(self) -> dict[int, int]:
        """By stream, the last number that a poll returned, -1 for none."""
        found = dict.fromkeys(range(self.streams), -1)
        for entry in self.journal.entries("poll"):
            found[entry["stream"]] = max(found[entry["stream"]], entry["last"] - 1)
        return found

    def window(self, bootstrap: str) -> int:
        """How many records were handed over whose offsets are not stored: what a kill now may double."""
        stored = self.stored(bootstrap)
        return sum(last - stored[stream] for stream, last in self.handed_over().items())

    def acknowledged(self) -> set[str]:
        return {f"{entry['stream']}:{entry['n']}" for entry in self.journal.entries("acknowledged")}

    def is_done(self, bootstrap: str) -> bool:
        """Whether the offsets of everything are stored: nothing will come any more."""
        return all(last == self.limit - 1 for last in self.stored(bootstrap).values())

    def visible(self, bootstrap: str) -> list[Arrival]:
        return [_arrival(record) for record in read_topic(bootstrap, self.topic)]

    def check(self, bootstrap: str, *, restarts: int, window: int) -> Verdict:
        """Hold the topic to what was sent. Of each record, `window` records at most may have come once more."""
        verdict = compare(self.expected, self.visible(bootstrap), restarts=restarts)
        check_window(verdict, window)
        return verdict


def check_window(verdict: Verdict, window: int) -> None:
    """At least once: duplicates are those that were not committed when something was killed."""
    if verdict.duplicates > window:
        raise ViolationError(f"{verdict.duplicates} duplicates, and only {window} records were not committed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkLedger:
    """A LedgerSink connector, and what came to it."""

    folder: Path
    topic: str
    name: str = "sink"
    props: dict[str, str] = field(default_factory=dict)

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / f"{self.name}.journal")

    @property
    def connector(self) -> dict[str, Any]:
        config = {"connector.class": "LedgerSink", "topics": self.topic, "journal": str(self.journal.file)}
        return {"name": self.name, "config": {**config, **self.props}}

    def count(self) -> int:
        return sum(1 for _ in self.journal.entries("put"))

    def arrivals(self) -> list[Arrival]:
        """In the order in which they were put, by topic partition."""
        return [Arrival(str(entry["partition"]), f"@{entry['offset']}") for entry in self.journal.entries("put")]

    def expected(self, bootstrap: str) -> dict[str, list[str]]:
        """What lies in the topic, by topic partition."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for record in read_topic(bootstrap, self.topic):
            found[str(record.partition)].append(f"@{record.offset}")
        return dict(found)

    def window(self, bootstrap: str) -> int:
        """How many records were put that the group has not committed: what a kill now may double."""
        last: dict[int, int] = {}
        for entry in self.journal.entries("put"):
            last[entry["partition"]] = max(last.get(entry["partition"], -1), entry["offset"])
        committed = committed_offsets(bootstrap, f"connect-{self.name}", self.topic)
        return sum(offset + 1 - committed.get(partition, 0) for partition, offset in last.items())

    def check(self, bootstrap: str, *, restarts: int, window: int) -> Verdict:
        """Hold what was put to what lies in the topic."""
        verdict = compare(self.expected(bootstrap), self.arrivals(), restarts=restarts)
        check_window(verdict, window)
        return verdict

    def has_all(self, bootstrap: str) -> bool:
        return set(self.arrivals()) >= {
            Arrival(key, id_) for key, ids in self.expected(bootstrap).items() for id_ in ids
        }


def _arrival(record: LogRecord) -> Arrival:
    return Arrival((record.key or b"").decode(), (record.value or b"").decode().rstrip())
