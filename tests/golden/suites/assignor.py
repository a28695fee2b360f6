"""IncrementalCooperativeAssignor: rounds of events, each ended by an assignment.

Every round begins with what Kafka's workers had, in the order of Java's hash tables: it decides between equals in
Kafka's assignor, so that names agree as well as counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from golden.case import Case
from kconnect_workers.group.assignor import IncrementalCooperativeAssignor
from kconnect_workers.group.work import ConnectorsAndTasks
from kconnect_workers.states import TaskId

T = TypeVar("T")


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    assignor = IncrementalCooperativeAssignor(case.raw["max_delay_ms"])
    configured = ConnectorsAndTasks()
    now_ms = case.raw["start_ms"]
    answers = []
    for number, (events, kafka) in enumerate(zip(case.raw["rounds"], case.output, strict=True), start=1):
        now_ms += events.get("advance_ms", 0)
        if "connectors" in events:
            counts = events["connectors"]
            configured = ConnectorsAndTasks.of(
                counts, (TaskId(c, n) for c, count in counts.items() for n in range(count))
            )
        owned = kafka["owned_before"]
        held = {member: _decoded(owned[member]) for member in _hash_order(owned, _string_hash)}
        if "set_owned" not in events:  # the order of which is as given
            held = {member: _in_hash_order(work) for member, work in held.items()}
        result = assignor.assign(
            configured,
            held,
            generation=number,
            last_completed_generation=number - (2 if events.get("generation_mismatch") else 1),
            now_ms=now_ms,
        )
        answers.append(
            {
                "owned_before": owned,
                "assigned": _encoded(result.assigned),
                "revoked": _encoded(result.revoked),
                "all_assigned": _encoded(result.owned),
                "delay_ms": result.delay_ms,
                "scheduled_rebalance_ms": assignor.scheduled_rebalance_ms,
                "now_ms": now_ms,
            }
        )
    return answers


def _decoded(work: dict[str, list[str]]) -> ConnectorsAndTasks:
    parts = (task.rpartition("-") for task in work["tasks"])
    return ConnectorsAndTasks.of(work["connectors"], (TaskId(connector, int(number)) for connector, _, number in parts))


def _in_hash_order(work: ConnectorsAndTasks) -> ConnectorsAndTasks:
    return ConnectorsAndTasks.of(_hash_order(work.connectors, _string_hash), _hash_order(work.tasks, _task_hash))


def _encoded(works: Mapping[str, ConnectorsAndTasks]) -> dict[str, Any]:
    return {
        member: {"connectors": sorted(work.connectors), "tasks": [str(task) for task in sorted(work.tasks)]}
        for member, work in works.items()
    }


def _hash_order(items: Collection[T], hash_code: Callable[[T], int]) -> list[T]:
    """The order in which a Java HashSet of these has them."""
    buckets = 16
    while len(items) > 0.75 * buckets:
        buckets *= 2

    def bucket(item: T) -> int:
        code = hash_code(item) & 0xFFFFFFFF
        return (code ^ (code >> 16)) & (buckets - 1)

    return sorted(items, key=bucket)


def _string_hash(text: str) -> int:
    code = 0
    for character in text:
        code = 31 * code + ord(character)
    return code


def _task_hash(id: TaskId) -> int:
    return 31 * _string_hash(id.connector) + id.task
