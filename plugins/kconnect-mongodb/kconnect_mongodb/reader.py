"""What reads MongoDB for a source task: a change stream, a copy of what is there, or a poll by a field."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any, NamedTuple, Protocol

from kconnect_mongodb.client import Document
from kconnect_mongodb.json_text import RELAXED

ID = "_id"
COPY = "copy"
HEARTBEAT = "HEARTBEAT"
TRUE = "true"


class Found(NamedTuple):
    """An event, in the form of change streams, and the offset behind it."""

    event: Document
    offset: dict[str, str]


class Reader(Protocol):
    """Belongs to the task's thread. Errors of the driver come out as they are."""

    def read(self) -> Sequence[Found]:
        """The next events; none after a second or less when there are none."""
        ...

    def heartbeat(self) -> dict[str, str] | None:
        """The offset to store though there were no events; None where there is no need."""
        ...

    def close(self) -> None: ...


class Pause:
    """Waits that a stop ends."""

    def __init__(self) -> None:
        self._stopped = Event()

    def wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()

    def is_stopped(self) -> bool:
        return self._stopped.is_set()


def insert_event(database: str, collection: str, document: Document) -> Document:
    """The event of a document that was there already, as mongo-kafka's copy has it."""
    identity = document.get(ID)
    return {
        ID: {ID: identity, "copyingData": True},
        "operationType": "insert",
        "ns": {"db": database, "coll": collection},
        "documentKey": {ID: identity},
        "fullDocument": document,
    }


def offset_of(token: Any) -> dict[str, str]:
    return {ID: RELAXED.text(token)}
