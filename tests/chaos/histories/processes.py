"""Histories of processes: 16, the worker alone is killed or stopped; 17, one of those around it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import psutil

from chaos.checker import ViolationError
from chaos.histories.offsets import finish
from chaos.ledger import SinkLedger, SourceLedger
from chaos.stage import Stage
from chaos.worker import ChaosWorker, eventually, gone

# Slow enough that every kill comes in the middle.
PACED = {"batch": "20", "pause.ms": "20"}
LEASE_S = 10.0


def worker_killed(stage: Stage, kills: int = 1) -> None:
    """History 16: kill -9 of the worker alone, with one of its tasks stopped, so that it cannot end by itself. Nothing
    is left of it within the lease, or its successor clears it; nothing is lost."""
    source = SourceLedger(folder=stage.folder, limit=2500, props=PACED)
    sink = SinkLedger(folder=stage.folder, topic=source.topic)
    both = [source.connector, sink.connector]
    source_window = sink_window = 0
    for number in range(kills):
        with stage.worker(both) as worker:
            _under_way(stage, worker, source, number)
            stopped = stage.random.choice([source.journal, sink.journal]).pid
            left = [process for process in worker.descendants() if process.pid != stopped]
            os.kill(stopped, signal.SIGSTOP)
            worker.kill()
            eventually(partial(_all_gone, left), "what the killed worker started ends", timeout=LEASE_S)
        with stage.worker() as worker:
            if not _gone_pid(stopped):
                raise ViolationError(f"process {stopped} of the killed worker lives on beside its successor")
            source_window += _counted(stage, source.window(worker.bootstrap))
            sink_window += sink.window(worker.bootstrap)
    with stage.worker(both) as worker:
        _finish_both(stage, worker, source, sink, kills, (source_window, sink_window))


def worker_stopped(stage: Stage) -> None:
    """History 16 without an end: the worker is stopped beyond the lease, with all its sockets open. Its tasks end by
    themselves, and nothing is written in its name after that; then it is killed."""
    source = SourceLedger(folder=stage.folder, limit=4000, props={"batch": "5", "pause.ms": "10"})
    with stage.worker([source.connector]) as worker:
        _under_way(stage, worker, source, 0)
        task = psutil.Process(source.journal.pid)
        os.kill(worker.process.pid, signal.SIGSTOP)
        try:
            eventually(lambda: gone(task), "the task of a stopped worker ends with its lease", timeout=1.5 * LEASE_S)
            window = _counted(stage, source.window(worker.bootstrap))
        finally:
            worker.kill()
    with stage.worker([replace(source, props={}).connector]) as worker:
        finish(worker, source)
        stage.tally.compared(source.check(worker.bootstrap, restarts=1, window=window))


def one_process_killed(stage: Stage) -> None:
    """History 17: kill -9 of the zygote, the connector's process and the broker, in an order that the dice tell. Each
    is replaced; the tasks keep their processes, and what they move is complete."""
    source = SourceLedger(folder=stage.folder, limit=2500, props=PACED)
    sink = SinkLedger(folder=stage.folder, topic=source.topic)
    with stage.worker([source.connector, sink.connector]) as worker:
        worker.wait_until_running(source.name, sink.name)
        tasks = source.journal.pid, sink.journal.pid
        victims: dict[str, Callable[[], psutil.Process]] = {
            "zygote": worker.zygote,
            "connector": lambda: psutil.Process(int(source.journal.last("connector")["pid"])),
            "broker": worker.broker,
        }
        names = list(victims)
        stage.random.shuffle(names)
        for number, name in enumerate(names):
            _under_way(stage, worker, source, number)
            victim = victims[name]()
            stage.tally.killed(in_flight=not source.is_done(worker.bootstrap))
            victim.kill()
            eventually(partial(_replaced, victims[name], victim), f"a new {name} comes")
            if (source.journal.pid, sink.journal.pid) != tasks:
                raise ViolationError(f"tasks were started again because the {name} was killed")
        _finish_both(stage, worker, source, sink, 0, (0, 0))
        for name in (source.name, sink.name):
            if worker.rest.states(name) != ["RUNNING", "RUNNING"]:
                raise ViolationError(f"{name} is {worker.rest.states(name)}")


def _all_gone(processes: list[psutil.Process]) -> bool:
    return all(map(gone, processes))


def _under_way(stage: Stage, worker: ChaosWorker, source: SourceLedger, stretch: int) -> None:
    """Wait until the source has handed over some more, as much as the dice tell."""
    wanted = sum(source.handed_over().values()) + stage.random.randint(100, 500)
    eventually(lambda: sum(source.handed_over().values()) >= wanted, f"stretch {stretch} is under way", worker.output)


def _counted(stage: Stage, window: int) -> int:
    stage.tally.killed(in_flight=window > 0)
    return window


def _finish_both(
    stage: Stage, worker: ChaosWorker, source: SourceLedger, sink: SinkLedger, restarts: int, windows: tuple[int, int]
) -> None:
    finish(worker, source)
    eventually(lambda: sink.has_all(worker.bootstrap), "everything has been put", worker.output)
    stage.tally.compared(source.check(worker.bootstrap, restarts=restarts, window=windows[0]))
    stage.tally.compared(sink.check(worker.bootstrap, restarts=restarts, window=windows[1]))


def _replaced(find: Callable[[], psutil.Process], before: psutil.Process) -> bool:
    now = find()
    return now.pid != before.pid and not gone(now)


def _gone_pid(pid: int) -> bool:
    try:
        return gone(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True
