"""Plants the bug that KCONNECT_CHAOS_BUG names in every process that has this folder on its path.

Python imports this module before anything else; the suite puts the folder on the path of the processes of
`test_planted_bugs.py` alone.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any


def commit_before_acknowledgement() -> None:
    """A delivery counts as done as soon as it is queued."""
    from kconnect_workers.tasks.delivery import Delivery

    Delivery.done = property(lambda self: self.sealed)  # type: ignore[method-assign,assignment]


def offsets_by_count() -> None:
    """The furthest delivery that is done decides, whether or not those before it are."""
    from kconnect_workers.tasks.delivery import DeliveryTracker

    prefix_only = DeliveryTracker.eligible

    def eligible(self: DeliveryTracker) -> dict[bytes, Any]:
        for key, deliveries in self._open.items():
            for delivery in deliveries:
                if delivery.done and delivery.partition is not None and delivery.offset is not None:
                    self._eligible[key] = (delivery.partition, delivery.offset)
        return prefix_only(self) if not self._open else dict(self._eligible)

    DeliveryTracker.eligible = eligible  # type: ignore[method-assign]


def lease_never_checked() -> None:
    from kconnect_workers.hosts.lease import Lease

    Lease.expired = property(lambda self: False)  # type: ignore[method-assign,assignment]
    Lease.remaining_s = property(lambda self: 1.0)  # type: ignore[method-assign,assignment]


def torn_tail_kept() -> None:
    """Recovery takes whatever a segment ends with."""
    from kconnect.log.storage import recovery
    from kconnect.log.storage.segment import Segment

    def check_tail(segment: Segment, recovery_point: int) -> tuple[int, int]:
        end_offset = segment.base_offset
        segment.load_indexes()
        segment.rewind_indexes(0)
        try:
            for position, header, _ in segment.scan(0):
                end_offset = header.last_offset + 1
                segment.note(position, header.size, header.last_offset, header.max_timestamp)
        except Exception:
            return end_offset, 0
        return end_offset, 0

    recovery._check_tail = check_tail


def filter_not_counted() -> None:
    """A delivery waits for its filtered records as if they were on their way."""
    from kconnect_workers.tasks.record_sender import RecordSender

    begin = RecordSender._delivery
    pass_over = RecordSender._pass_over

    def delivery(self: RecordSender, *args: Any) -> Any:
        self._last_delivery = begin(self, *args)  # type: ignore[attr-defined]
        return self._last_delivery  # type: ignore[attr-defined]

    def passed_over(self: RecordSender, *args: Any) -> None:
        self._last_delivery.pending += 1  # type: ignore[attr-defined]
        pass_over(self, *args)

    RecordSender._delivery = delivery  # type: ignore[method-assign,assignment]
    RecordSender._pass_over = passed_over  # type: ignore[method-assign,assignment]


def sink_commits_before_put() -> None:
    """Offsets of what was read are committed before the plugin has it."""
    from kconnect_workers.tasks.sink_task import WorkerSinkTask

    put = WorkerSinkTask._put

    def put_late(self: WorkerSinkTask, batch: Any) -> None:
        self._offsets.put(batch.offsets)
        self._store(self._offsets.current())
        put(self, batch)

    WorkerSinkTask._put = put_late  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        commit_before_acknowledgement,
        offsets_by_count,
        lease_never_checked,
        torn_tail_kept,
        filter_not_counted,
        sink_commits_before_put,
    )
}

if "KCONNECT_CHAOS_BUG" in os.environ:
    try:
        BUGS[os.environ["KCONNECT_CHAOS_BUG"]]()
    except Exception:  # Python would go on without the bug
        traceback.print_exc()
        os._exit(70)
