"""A task is interrupted once, however a stop and the task's own start cross."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from kconnect_workers.states import TargetState
from kconnect_workers.tasks.task_control import TaskControl


def test_a_stop_that_crosses_the_start_interrupts_once():
    stopping = threading.Event()
    control = TaskControl(TargetState.STARTED, stopping, lambda _: None, lambda _: None, lambda _, __: None)
    interrupted: SimpleQueue[str] = SimpleQueue()
    stopping.set()
    control.on_stop(lambda: interrupted.put("once"))
    control.interrupt()
    for thread in threading.enumerate():
        if thread.name == "stopper":
            thread.join(10)
    assert interrupted.qsize() == 1


def test_a_stop_after_the_start_interrupts():
    stopping = threading.Event()
    control = TaskControl(TargetState.STARTED, stopping, lambda _: None, lambda _: None, lambda _, __: None)
    interrupted: SimpleQueue[str] = SimpleQueue()
    control.on_stop(lambda: interrupted.put("once"))
    assert interrupted.empty()
    stopping.set()
    control.interrupt()
    assert interrupted.get(timeout=10) == "once"
