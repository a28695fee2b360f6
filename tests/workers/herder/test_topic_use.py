"""The topics that connectors were seen to use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kconnect_workers.states import TaskId
from kconnect_workers.tasks.used_topics import UsedTopics

SOURCE = {"connector.class": "java.Source", "file": "a.txt", "tasks.max": "2"}


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(whole())


def test_topics_outlive_the_worker_and_go_with_the_connector(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await herder.create("other", SOURCE)
        await workbench.settle()
        for number, topic in ((0, "orders"), (1, "orders"), (1, "items")):
            herder.supervision.on_topic_used(TaskId("c", number), topic)
        herder.supervision.on_topic_used(TaskId("other", 0), "orders")
        await workbench.settle()
        herder = await workbench.restart()
        assert herder.topics("c") == ["orders", "items"]
        await herder.delete("c")
        await herder.create("c", SOURCE)
        await workbench.settle()
        assert herder.topics("c") == []
        assert herder.topics("other") == ["orders"]

    run(scenario)


def test_topics_that_were_forgotten_may_be_told_of_again(workbench: Any) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        herder.supervision.on_topic_used(TaskId("c", 0), "orders")
        await workbench.settle()
        await herder.forget_topics("c")
        assert herder.topics("c") == []
        assert workbench.environment.forgotten_topics == ["c"]
        herder.supervision.on_topic_used(TaskId("c", 0), "orders")
        await workbench.settle()
        assert herder.topics("c") == ["orders"]

    run(scenario)


@pytest.mark.parametrize("topic", ["a:connector-b", "", "x" * 250, "größe"])
def test_what_can_be_no_topic_is_passed_over_and_so_are_tasks_of_no_connector(workbench: Any, topic: str) -> None:
    async def scenario() -> None:
        herder = await workbench.start()
        await herder.create("c", SOURCE)
        await workbench.settle()
        herder.supervision.on_topic_used(TaskId("c", 0), topic)
        herder.supervision.on_topic_used(TaskId("gone", 0), "orders")
        await workbench.settle()
        assert herder.topics("c") == herder.topics("gone") == []

    run(scenario)


def test_a_task_tells_of_each_topic_once_until_it_is_to_forget() -> None:
    told: list[str] = []
    topics = UsedTopics(told.append)
    for topic in ("a", "b", "a"):
        topics.use(topic)
    topics.forget()
    topics.use("a")
    assert told == ["a", "b", "a"]
