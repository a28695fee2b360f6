from __future__ import annotations

import asyncio

from kconnect_workers.states import State, Status, TaskId
from kconnect_workers.stores.entry_log import Apply, Entry, MemoryLog
from kconnect_workers.stores.status_store import StatusStore


def status(id: str | TaskId, state: State = State.RUNNING, worker_id: str = "w:8083", generation: int = 0) -> Status:
    return Status(id=id, state=state, worker_id=worker_id, generation=generation)


def test_a_removed_connector_leaves_no_status_and_no_topic() -> None:
    async def scenario() -> None:
        store = StatusStore(MemoryLog)
        await store.put(status("a"), status(TaskId("a", 1)), status(TaskId("a", 0)), status("a-0"))
        await store.put_topic("a", 0, "orders")
        assert [found.id for found in store.tasks("a")] == [TaskId("a", 0), TaskId("a", 1)]
        assert store.topics("a") == ["orders"]
        await store.remove_connector("a")
        assert (store.connector("a"), store.tasks("a"), store.topics("a")) == (None, [], [])
        assert store.connector("a-0") == status("a-0")

    asyncio.run(scenario())


def test_a_status_that_cannot_be_read_is_passed_over() -> None:
    async def scenario() -> None:
        applies: list[Apply] = []

        def opened(apply: Apply) -> MemoryLog:
            applies.append(apply)
            return MemoryLog(apply)

        store = StatusStore(opened)
        broken: list[Entry] = [(b"status-connector-a", b"{"), (b"status-task-a", b"{}"), (b"\xff", None), (b"x", b"1")]
        for key, value in broken:
            applies[0](key, value)
        await store.put(status("b"))
        assert store.connectors() == ["b"]

    asyncio.run(scenario())


def test_a_worker_that_lost_a_task_leaves_the_status_to_the_one_that_has_it() -> None:
    async def scenario() -> None:
        store = StatusStore(MemoryLog)
        task = TaskId("a", 0)
        await store.put_safe(status(task, State.RUNNING, "old:1", 4))
        await store.put(status(task, State.RUNNING, "new:1", 5))
        await store.put_safe(status(task, State.UNASSIGNED, "old:1", 4), status("a", State.UNASSIGNED, "old:1", 4))
        assert (store.task(task), store.connector("a")) == (
            status(task, State.RUNNING, "new:1", 5),
            status("a", State.UNASSIGNED, "old:1", 4),
        )
        await store.put_safe(status(task, State.FAILED, "new:1", 4))  # its own, of an earlier generation
        assert store.task(task) == status(task, State.FAILED, "new:1", 4)
        await store.put_safe(status(task, State.UNASSIGNED, "third:1", 4))
        assert store.task(task) == status(task, State.UNASSIGNED, "third:1", 4)

    asyncio.run(scenario())
