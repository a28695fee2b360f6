"""What groups have committed, and what they will have once a transaction commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kconnect.log.coordinators.offset_records import CommittedOffset

TopicPartition = tuple[str, int]
_OffsetsByGroup = dict[str, dict[TopicPartition, "CommittedOffset"]]


class CommittedOffsets:
    """Offsets by group and partition. Those in a transaction are pending until its marker is written.

    Of two commits for one partition the one that lies further down in the log counts, whichever of them became
    valid first.
    """

    def __init__(self) -> None:
        self._by_group: _OffsetsByGroup = {}
        self._pending: dict[int, _OffsetsByGroup] = {}

    def of(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        """The offsets of a group, none of an unknown one."""
        return self._by_group.get(group_id, {})

    def groups(self) -> set[str]:
        """The groups that have offsets, pending ones too."""
        groups = {group_id for group_id, offsets in self._by_group.items() if offsets}
        return groups.union(*self._pending.values())

    def is_pending(self, group_id: str, partition: TopicPartition) -> bool:
        """Whether a transaction that is not decided yet has an offset for `partition`."""
        return any(partition in groups.get(group_id, ()) for groups in self._pending.values())

    def commit(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Let `offsets` count."""
        present = self._by_group.setdefault(group_id, {})
        for partition, committed in offsets.items():
            known = present.get(partition)
            if known is None or known.position <= committed.position:
                present[partition] = committed

    def commit_in_transaction(
        self, group_id: str, producer_id: int, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> None:
        """Let `offsets` count as soon as the producer's transaction is committed."""
        self._pending.setdefault(producer_id, {}).setdefault(group_id, {}).update(offsets)

    def end_transaction(self, producer_id: int, *, commit: bool, lies_here: Callable[[str], bool]) -> list[str]:
        """Decide what the producer has pending for the groups for which `lies_here`; returns these."""
        pending = self._pending.get(producer_id, {})
        decided = [group_id for group_id in pending if lies_here(group_id)]
        for group_id in decided:
            offsets = pending.pop(group_id)
            if commit:
                self.commit(group_id, offsets)
        if not pending:
            self._pending.pop(producer_id, None)
        return decided

    def partitions_of(self, group_id: str) -> set[TopicPartition]:
        """The partitions for which a group has an offset, pending ones too."""
        return {partition for offsets in self._all_of(group_id) for partition in offsets}

    def forget(self, group_id: str, partitions: Iterable[TopicPartition]) -> None:
        """Drop a group's offsets for `partitions`, pending ones too."""
        for partition in partitions:
            for offsets in self._all_of(group_id):
                offsets.pop(partition, None)

    def _all_of(self, group_id: str) -> Iterator[dict[TopicPartition, CommittedOffset]]:
        for groups in (self._by_group, *self._pending.values()):
            if group_id in groups:
                yield groups[group_id]
