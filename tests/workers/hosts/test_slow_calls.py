"""Calls that do not return, told from those that take their time: a clock and a list of calls."""

from __future__ import annotations

import pytest

from kconnect.errors import ConnectError
from kconnect_workers.hosts.slow_calls import SlowCalls
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.plugin_call import PluginCall, call_under_way, plugin_call


class Plugin:
    """What is called."""


class Scene:
    def __init__(self) -> None:
        self.now = 0.0
        self.call: PluginCall | None = None
        self.remarks: list[str | None] = []
        self.slow_calls = SlowCalls(
            self.remarks.append, after_s=30, under_way=lambda: self.call, clock=lambda: self.now
        )

    def begin(self, method: str) -> None:
        self.call = PluginCall(Plugin, method, TaskId("orders", 0), self.now)

    def look_at(self, now: float) -> None:
        self.now = now
        self.slow_calls.look()


def test_a_call_that_does_not_return_is_told_of_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    scene.begin("put")
    scene.look_at(29)
    assert scene.remarks == []
    scene.look_at(30)
    scene.look_at(90)
    (remark,) = scene.remarks
    assert remark is not None
    assert remark.startswith(f"orders-0: {__name__}.Plugin.put has not returned since ")
    scene.call = None
    scene.look_at(100)
    assert scene.remarks == [remark, None]
    first, second = caplog.messages
    assert first.startswith(remark.split(":")[0])
    assert second == f"orders-0: {__name__}.Plugin.put is over, after 100 s"


def test_many_short_calls_are_none_that_lasts(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    for second in range(0, 100, 20):
        scene.begin("put")
        scene.look_at(second + 20)
    assert scene.remarks == []
    assert caplog.messages == []


def test_another_call_that_lasts_is_told_of_after_the_first() -> None:
    scene = Scene()
    for second in (0, 50):
        scene.begin("put")
        scene.look_at(second + 30)
    assert [remark is None for remark in scene.remarks] == [False, True, False]


def test_of_calls_within_one_another_the_inmost_is_the_one_that_lasts() -> None:
    def method_under_way() -> str | None:
        call = call_under_way()
        return None if call is None else call.method

    with plugin_call(Plugin, "put", "orders-0"):
        with plugin_call(Plugin, "open", "orders-0"):
            assert method_under_way() == "open"
        assert method_under_way() == "put"
    with pytest.raises(ConnectError), plugin_call(Plugin, "put", "orders-0"):
        raise ValueError("no")
    assert method_under_way() is None
