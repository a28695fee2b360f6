"""Transactions as compaction meets them, batch by batch in the order of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol.control import ControlType, read_end_marker
from kconnect.log.protocol.records import read_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.protocol.message import Buffer
    from kconnect.log.storage.transaction_index import AbortedTransaction


class TransactionTrail:
    """Tells the data of aborted transactions, and the markers of which no data is left."""

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._to_come = sorted(aborted, key=lambda transaction: transaction.first_offset, reverse=True)
        self._aborting: dict[int, AbortedTransaction] = {}
        self._with_data: set[int] = set()

    def meets_aborted_data(self, header: BatchHeader) -> bool:
        """Take note of a batch of data; whether it belongs to a transaction that was aborted."""
        if not header.is_transactional:
            return False
        self._begin_up_to(header.last_offset)
        self._with_data.add(header.producer_id)
        return header.producer_id in self._aborting

    def meets_marker(self, header: BatchHeader, batch: Buffer) -> tuple[bool, AbortedTransaction | None]:
        """Take note of a control batch: whether no data of its transaction was met, and which one it aborts.

        Raises CorruptBatchError.
        """
        self._begin_up_to(header.last_offset)
        if not header.record_count:
            return True, None
        marker = read_end_marker(read_records(header, batch)[0])
        had_data = header.producer_id in self._with_data
        self._with_data.discard(header.producer_id)
        aborted = self._aborting.pop(header.producer_id, None) if marker.type is ControlType.ABORT else None
        return not had_data, aborted

    def _begin_up_to(self, offset: int) -> None:
        while self._to_come and self._to_come[-1].first_offset <= offset:
            transaction = self._to_come.pop()
            # A later one takes the place of one whose marker did not come: what is committed must not go with it.
            self._aborting[transaction.producer_id] = transaction
