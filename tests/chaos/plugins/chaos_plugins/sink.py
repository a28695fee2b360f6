"""A sink that writes down every record that it is given."""

from __future__ import annotations

import os
from collections.abc import Sequence

from chaos_plugins.journal import Doom, Journal
from kconnect.config import Config, key
from kconnect.record import SinkRecord
from kconnect.sink import Offsets, SinkConnector, SinkTask


class LedgerSinkConfig(Config):
    journal: str = key(doc="File that gets a line of JSON for everything that happens.")
    kills: str = key(default="", doc="Per life, place@count.")


class LedgerSinkTask(SinkTask[LedgerSinkConfig]):
    """Kills itself at `put` (count records are written down, their batch may not be done) or at `flush` (count records
    are, and their offsets are about to be committed)."""

    def start(self, config: LedgerSinkConfig) -> None:
        self._journal = Journal(config.journal)
        self._doom = Doom(config.kills, self._journal.life)
        self._count = 0
        self._journal.note("start", pid=os.getpid())

    def put(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            self._journal.note("put", partition=record.partition, offset=record.offset, value=record.value)
            self._count += 1
            self._doom.reached("put", self._count)

    def flush(self, offsets: Offsets) -> None:
        self._doom.reached("flush", self._count)
        self._journal.note("flush", offsets={str(partition.partition): offset for partition, offset in offsets.items()})


class LedgerSink(SinkConnector[LedgerSinkConfig]):
    task = LedgerSinkTask
