"""How large the transactions of a task are."""

from __future__ import annotations

from collections.abc import Sequence

from kconnect.record import RowBatch, SourceRecord


class TransactionSizes:
    """How many records those that were committed had: all together, the smallest and the largest."""

    def __init__(self) -> None:
        self.count = 0
        self.records = 0
        self.smallest = 0
        self.largest = 0
        self._open = 0

    def add(self, batch: Sequence[SourceRecord] | RowBatch) -> None:
        """These are in the open transaction."""
        self._open += len(batch.rows) if isinstance(batch, RowBatch) else len(batch)

    def committed(self) -> None:
        self.smallest = min(self.smallest, self._open) if self.count else self._open
        self.largest = max(self.largest, self._open)
        self.count += 1
        self.records += self._open
        self._open = 0

    def aborted(self) -> None:
        self._open = 0
