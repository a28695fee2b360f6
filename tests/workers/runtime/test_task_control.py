"""A task is interrupted once, however a stop and the task's own start cross."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from kconnect_workers.runtime import messages
from kconnect_workers.runtime.task_control import TaskControl
from kconnect_workers.states import TargetState


def test_a_stop_that_crosses_the_start_interrupts_once():
    stopping = threading.Event()
    control = TaskControl(TargetState.STARTED, stopping, lambda _: None, lambda _: None)
    interrupted: SimpleQueue[str] = SimpleQueue()
    stopping.set()
    control.on_stop(lambda: interrupted.put("once"))
    control.receive(messages.Stop())
    for thread in threading.enumerate():
        if thread.name == "stopper":
            thread.join(10)
    assert interrupted.qsize() == 1


def test_a_stop_after_the_start_interrupts():
    stopping = threading.Event()
    control = TaskControl(TargetState.STARTED, stopping, lambda _: None, lambda _: None)
    interrupted: SimpleQueue[str] = SimpleQueue()
    control.on_stop(lambda: interrupted.put("once"))
    assert interrupted.empty()
    stopping.set()
    control.receive(messages.Stop())
    assert interrupted.get(timeout=10) == "once"
