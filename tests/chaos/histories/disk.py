"""History 4: the disk is full in the middle of a batch."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.checker import ViolationError, compare
from chaos.histories.offsets import finish
from chaos.ledger import SourceLedger
from chaos.stage import Stage
from chaos.worker import ChaosWorker, eventually

_BYTES = 3_000_000
_PADDING = 2000


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], None]]:
    """A file system of three megabytes at `folder`; the callable makes it large. CalledProcessError where mounting is
    not allowed."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield lambda: _run("mount", "-o", "remount,size=256m", folder)
    finally:
        _run("umount", "--lazy", folder)


def may_mount(folder: Path) -> bool:
    try:
        with small_disk(folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def disk_full(stage: Stage, *, kill: bool) -> None:
    """The file system of the log is full in the middle of a batch; `kill` kills the broker while it is."""
    with small_disk(stage.folder / "disk") as make_room:
        props = {"embedded.log.dir": str(stage.folder / "disk" / "log")}
        source = _source(stage)
        with stage.worker([source.connector], props) as worker:
            _until_refused(worker, source)
            _check_what_is_visible(worker, source)
            if kill:
                _kill_broker(stage, worker, source)
                make_room()
            else:
                make_room()
            _finish_exactly(stage, worker, source)


def file_size_limited(stage: Stage) -> None:
    """The same without a file system of our own: the broker may write no file beyond a size."""
    source = _source(stage)
    with stage.worker() as worker:
        resource.prlimit(worker.broker().pid, resource.RLIMIT_FSIZE, (_BYTES // 2, resource.RLIM_INFINITY))
        worker.request("POST", "/connectors", source.connector)
        _until_refused(worker, source)
        _check_what_is_visible(worker, source)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(worker.broker().pid, resource.RLIMIT_FSIZE, unlimited)
        _finish_exactly(stage, worker, source)


def torn_by_a_kill(stage: Stage) -> None:
    """Everything is killed within an append that the system had written half of: the part is cut, and what was
    acknowledged before it is there."""
    source = SourceLedger(folder=stage.folder, limit=3000, props={"batch": "20", "pause.ms": "10"})
    data = stage.folder / "worker" / "log" / f"{source.topic}-0"
    with stage.worker([source.connector]) as worker:
        wanted = stage.random.randint(200, 1000)
        eventually(lambda: len(source.acknowledged()) > wanted, "records are acknowledged", worker.output)
        worker.kill_everything()
    acknowledged = source.acknowledged()
    segment = max(data.glob("*.log"))
    _tear(segment, stage.random.random())
    with stage.worker() as worker:
        window = source.window(worker.bootstrap)
        stage.tally.killed(in_flight=window > 0)
        visible = {arrival.id for arrival in source.visible(worker.bootstrap)}
        if lost := acknowledged - visible:
            raise ViolationError(f"{len(lost)} acknowledged records are lost: {sorted(lost)[:5]} …")
        worker.request("PUT", f"/connectors/{source.name}/config", source.connector["config"])
        worker.request("PUT", f"/connectors/{source.name}/resume")
        finish(worker, source)
        stage.tally.compared(source.check(worker.bootstrap, restarts=1, window=window))


def _tear(segment: Path, share: float) -> None:
    """Append the beginning of a batch like the first one, as a write that was cut short leaves it."""
    data = segment.read_bytes()
    size = 12 + int.from_bytes(data[8:12], "big")
    with segment.open("ab") as file:
        file.write(data[: max(20, int(size * share))])


def _source(stage: Stage) -> SourceLedger:
    props = {"padding": str(_PADDING), "batch": str(stage.random.randint(20, 60))}
    return SourceLedger(folder=stage.folder, limit=1500, props=props)


def _until_refused(worker: ChaosWorker, source: SourceLedger) -> None:
    def refused() -> bool:
        said = worker.output()
        return any(words in said for words in ("No space left on device", "File too large"))

    eventually(refused, "the log says that its disk is full", worker.output)
    if source.is_done(worker.bootstrap):
        raise ViolationError("all records had room: the history did not take place")


def _check_what_is_visible(worker: ChaosWorker, source: SourceLedger) -> None:
    """Everything acknowledged, and of each stream an unbroken beginning."""
    acknowledged = source.acknowledged()
    visible = source.visible(worker.bootstrap)
    if lost := acknowledged - {arrival.id for arrival in visible}:
        raise ViolationError(f"{len(lost)} acknowledged records are not visible: {sorted(lost)[:5]} …")
    counts = {key: sum(arrival.key == key for arrival in visible) for key in source.expected}
    compare({key: ids[: counts[key]] for key, ids in source.expected.items()}, visible, restarts=0)


def _kill_broker(stage: Stage, worker: ChaosWorker, source: SourceLedger) -> None:
    stage.tally.killed(in_flight=not source.is_done(worker.bootstrap))
    broker = worker.broker()
    broker.kill()
    eventually(lambda: worker.broker().pid != broker.pid, "a new broker comes", worker.output)


def _finish_exactly(stage: Stage, worker: ChaosWorker, source: SourceLedger) -> None:
    """The task itself was not touched: what it sends again, the idempotent producer's sequence numbers keep out."""
    finish(worker, source)
    stage.tally.compared(source.check(worker.bootstrap, restarts=0, window=0))


def _run(*command: str | os.PathLike[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
