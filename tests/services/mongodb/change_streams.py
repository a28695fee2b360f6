"""A server of change streams, for what no server that tests can have does: it speaks MongoDB's protocol to the real
driver, and hands out events as MongoDB documents them. What else a server does, it does not."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

import bson

Event = dict[str, Any]
_OP_MSG, _OP_QUERY, _OP_REPLY = 2013, 2004, 1


def token(number: int) -> Event:
    return {"_data": f"82{number:016X}"}


def event(number: int, kind: str = "insert", **fields: Any) -> Event:
    """As in https://www.mongodb.com/docs/manual/reference/change-events/."""
    return {
        "_id": token(number),
        "operationType": kind,
        "clusterTime": bson.Timestamp(1_700_000_000 + number, 1),
        "ns": {"db": "shop", "coll": "orders"},
        "documentKey": {"_id": number},
        **fields,
    }


class ChangeStreamServer(socketserver.ThreadingTCPServer):
    """`events` are what the stream has, by their tokens; `commands` what it was asked. `fail` may give an error in
    place of an answer; `hang_up` has the next getMore lose its connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"mongodb://127.0.0.1:{self.server_address[1]}/?replicaSet=rs0"
        self.events: list[Event] = []
        self.documents: list[Event] = []
        self.commands: list[Event] = []
        self.fail: Callable[[Event], Event | None] = lambda command: None
        self.hang_up = False
        self.changed = threading.Condition()
        self._cursors: dict[int, int] = {}

    def __enter__(self) -> ChangeStreamServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def add(self, *events: Event) -> None:
        with self.changed:
            self.events += events
            self.changed.notify_all()

    def asked(self, name: str) -> list[Event]:
        return [command for command in self.commands if next(iter(command)) == name]

    def answer(self, command: Event) -> Event | None:
        """None hangs up."""
        name = next(iter(command))
        self.commands.append(command)
        refusal = self.fail(command)
        if refusal is not None:
            return {"ok": 0.0, "errmsg": "refused", "codeName": "Error", **refusal}
        if name in ("hello", "ismaster", "isMaster"):
            return self._hello()
        if name == "aggregate":
            return self._aggregate(command)
        if name == "getMore":
            return self._get_more(command)
        if name == "listCollections":
            return self._cursor(command, 0, "firstBatch", [])
        return {"ok": 1.0, "n": 1}

    def _hello(self) -> Event:
        address = f"127.0.0.1:{self.server_address[1]}"
        return {
            "ok": 1.0,
            "isWritablePrimary": True,
            "ismaster": True,
            "helloOk": True,
            "setName": "rs0",
            "hosts": [address],
            "primary": address,
            "me": address,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "maxBsonObjectSize": 1 << 24,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
        }

    def _aggregate(self, command: Event) -> Event:
        stage = command["pipeline"][0] if command["pipeline"] else {}
        if "$changeStream" not in stage:
            return self._cursor(command, 0, "firstBatch", self.documents)
        options = stage["$changeStream"]
        after = options.get("startAfter") or options.get("resumeAfter")
        with self.changed:
            place = len(self.events)
            if after is not None:
                place = sum(each["_id"]["_data"] <= after["_data"] for each in self.events)
            elif "startAtOperationTime" in options:
                place = sum(each["clusterTime"] < options["startAtOperationTime"] for each in self.events)
            number = len(self._cursors) + 1
            self._cursors[number] = place
        return self._cursor(command, number, "firstBatch", [])

    def _get_more(self, command: Event) -> Event | None:
        if self.hang_up:
            self.hang_up = False
            return None
        number = command["getMore"]
        with self.changed:
            place = self._cursors[number]
            self.changed.wait_for(lambda: len(self.events) > place, command.get("maxTimeMS", 100) / 1000)
            batch = self.events[place : place + command.get("batchSize", 100)]
            self._cursors[number] = place + len(batch)
        ended = any(each["operationType"] == "invalidate" for each in batch)
        return self._cursor(command, 0 if ended else number, "nextBatch", batch)

    def _cursor(self, command: Event, number: int, name: str, batch: Sequence[Event]) -> Event:
        place = self._cursors.get(number, len(self.events))
        last = self.events[place - 1]["_id"] if place else token(0)
        cursor = {"id": bson.Int64(number), "ns": "shop.orders", name: list(batch), "postBatchResumeToken": last}
        return {"ok": 1.0, "cursor": cursor, "operationTime": bson.Timestamp(1_700_000_000, 1)}


class _Connection(socketserver.BaseRequestHandler):
    server: ChangeStreamServer
    request: socket.socket

    def handle(self) -> None:
        while (header := self._read(16)) is not None:
            length, request_id, _, code = struct.unpack("<iiii", header)
            body = self._read(length - 16)
            if body is None:
                return
            document = body[5:] if code == _OP_MSG else body[body.index(b"\0", 4) + 9 :]
            [size] = struct.unpack_from("<i", document)
            command = bson.decode(document[:size])  # what follows are the documents of a write
            answer = self.server.answer(command)
            if answer is None:
                return
            encoded = bson.encode(answer)
            if code == _OP_MSG:
                reply, kind = struct.pack("<iB", 0, 0) + encoded, _OP_MSG
            else:
                reply, kind = struct.pack("<iqii", 8, 0, 0, 1) + encoded, _OP_REPLY
            self.request.sendall(struct.pack("<iiii", 16 + len(reply), 0, request_id, kind) + reply)

    def _read(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                chunk = self.request.recv(count - len(data))
            except OSError:
                return None
            if not chunk:
                return None
            data += chunk
        return data
