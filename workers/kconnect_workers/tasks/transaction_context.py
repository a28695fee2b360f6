"""A connector's own transactions: where its task says that one ends."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from kconnect.errors import ConnectError
from kconnect.record import RowBatch, SourceRecord


class Ending(enum.Enum):
    """How a transaction ends. ABORT drops its records; the source goes on behind them all the same."""

    COMMIT = "commit"
    ABORT = "abort"


class WorkerTransactionContext:
    """A `TransactionContext`. Records are told apart by identity; `parts` belongs to the task's thread."""

    def __init__(self) -> None:
        self._records: dict[int, tuple[SourceRecord, Ending]] = {}
        self._batch: Ending | None = None

    def commit_transaction(self, record: SourceRecord | None = None) -> None:
        """Behind `record`, or behind what the poll under way, or the next one, returns. ConnectError when it is to be
        aborted there, too."""
        self._request(record, Ending.COMMIT)

    def abort_transaction(self, record: SourceRecord | None = None) -> None:
        """As `commit_transaction`."""
        self._request(record, Ending.ABORT)

    def _request(self, record: SourceRecord | None, ending: Ending) -> None:
        asked = self._batch if record is None else self._records.get(id(record), (record, None))[1]
        if asked not in (None, ending):
            raise ConnectError("a transaction is to be both committed and aborted at the same place")
        if record is None:
            self._batch = ending
        else:
            self._records[id(record)] = (record, ending)

    def parts(
        self, batch: Sequence[SourceRecord] | RowBatch
    ) -> Iterator[tuple[Sequence[SourceRecord] | RowBatch, Ending | None]]:
        """`batch` cut behind the records at which a transaction ends, and how it does; None where it goes on."""
        if isinstance(batch, RowBatch) or not self._records:
            yield batch, self.take_batch_ending()
            return
        begin = 0
        for number, record in enumerate(batch, 1):
            _, ending = self._records.pop(id(record), (record, None))
            if ending is not None:
                yield batch[begin:number], ending
                begin = number
        yield batch[begin:], self.take_batch_ending()

    def take_batch_ending(self) -> Ending | None:
        """What was asked for without a record, once."""
        ending, self._batch = self._batch, None
        return ending
