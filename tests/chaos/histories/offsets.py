"""Histories of offsets: 1, killed between acknowledgement and commit; 3, one partition stalls while another goes on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chaos.checker import ViolationError
from chaos.ledger import SinkLedger, SourceLedger
from chaos.stage import Stage
from chaos.worker import ChaosWorker, eventually

# The records' producer keeps batches that are not full for longer than a history lasts; offsets have their own.
HOLDING_BACK = {"producer.override.linger.ms": "600000", "producer.override.batch.size": "4096"}


def source_killed_before_commit(stage: Stage, kills: int = 4) -> None:
    """History 1: the task is killed right after a record is acknowledged, and within a poll, before the offsets of
    either are stored. Filtered records are among them."""
    plan = [
        f"{stage.random.choice(['acknowledged', 'acknowledged', 'polled'])}@{stage.random.randint(60, 900)}"
        for _ in range(kills)
    ]
    source = SourceLedger(
        folder=stage.folder,
        limit=3000,
        drop_every=7,
        props={"kills": ",".join(plan), "batch": str(stage.random.randint(20, 100)), "pause.ms": "3"},
    )
    with stage.worker([source.connector]) as worker:
        window = sum(_killed_by_itself(stage, worker, source) for _ in plan)
        finish(worker, source)
        stage.tally.compared(source.check(worker.bootstrap, restarts=kills, window=window))


def _killed_by_itself(stage: Stage, worker: ChaosWorker, source: SourceLedger) -> int:
    """See the task killed, and start it again; how many records were handed over and not committed."""
    worker.wait_for_failure(source.name, "SIGKILL")
    window = source.window(worker.bootstrap)
    stage.tally.killed(in_flight=window > 0)
    lives = source.journal.lives
    worker.restart_task(source.name)
    eventually(lambda: source.journal.lives > lives, "the task starts again", worker.output)
    begins = source.journal.last("start")["next"]
    stored = source.stored(worker.bootstrap)
    if any(begin > last + 1 for begin, last in zip(begins, stored.values(), strict=True)):
        raise ViolationError(f"the task goes on at {begins}, but what is stored is {stored}")
    return window


def finish(worker: ChaosWorker, source: SourceLedger) -> None:
    eventually(
        lambda: source.is_done(worker.bootstrap), f"everything of {source.name} is sent and committed", worker.output
    )


def _has_begun_again(sink: SinkLedger, lives: int) -> bool:
    return sink.journal.lives > lives


def sink_killed_before_commit(stage: Stage, kills: int = 3, at: Sequence[str] = ("put", "flush")) -> None:
    """History 1 at the other end: the task is killed within a batch that is half put, and when all of it is put and
    its offsets are about to be committed."""
    plan = [f"{stage.random.choice(at)}@{stage.random.randint(20, 700)}" for _ in range(kills)]
    source = SourceLedger(folder=stage.folder, limit=2000)
    sink = SinkLedger(folder=stage.folder, topic=source.topic, props={"kills": ",".join(plan)})
    with stage.worker([source.connector]) as worker:
        finish(worker, source)
        worker.request("POST", "/connectors", sink.connector)
        window = 0
        for _ in plan:
            worker.wait_for_failure(sink.name, "SIGKILL")
            uncommitted, lives = sink.window(worker.bootstrap), sink.journal.lives
            stage.tally.killed(in_flight=uncommitted > 0)
            window += uncommitted
            worker.restart_task(sink.name)
            eventually(partial(_has_begun_again, sink, lives), "the task starts again", worker.output)
        eventually(lambda: sink.window(worker.bootstrap) == 0, "everything put is committed", worker.output)
        stage.tally.compared(sink.check(worker.bootstrap, restarts=kills, window=window))


def stalled_beside_acknowledged(stage: Stage) -> None:
    """History 3: of one source partition's records, those for topic partition 0 stay in the producer's hands while
    those for partition 1 are acknowledged; then the task is killed."""
    props = {"batch": "50", "kills": "commits@3", **HOLDING_BACK}
    rare_every = stage.random.randint(400, 900)
    source = SourceLedger(folder=stage.folder, limit=4000, streams=1, rare_every=rare_every, props=props)
    _stall_kill_and_finish(stage, source)


def stalled_source_partition(stage: Stage) -> None:
    """History 3 with a source partition for each topic partition: the one that goes on is not held up."""
    props = {"batch": "50", "first.batch": "1", "pause.ms": "5", "kills": "commits@3", **HOLDING_BACK}
    source = SourceLedger(folder=stage.folder, limit=2500, streams=2, rare_every=1, props=props)
    _stall_kill_and_finish(stage, source)


def _stall_kill_and_finish(stage: Stage, source: SourceLedger) -> None:
    with stage.worker() as worker:
        worker.create_topic(source.topic, partitions=2)
        worker.request("POST", "/connectors", source.connector)
        worker.wait_for_failure(source.name, "SIGKILL")
        window = source.window(worker.bootstrap)
        stage.tally.killed(in_flight=window > 0)
        _check_prefix(source, worker.bootstrap)
        stored = source.stored(worker.bootstrap)
        if stored[0] != -1 or stored.get(1) == -1:
            raise ViolationError(f"stream 0 was to stall, and nothing else: stored is {stored}")
        left_out = {*HOLDING_BACK, "first.batch"}
        config = {key: value for key, value in source.connector["config"].items() if key not in left_out}
        worker.request("PUT", f"/connectors/{source.name}/config", config)
        finish(worker, source)
        stage.tally.compared(source.check(worker.bootstrap, restarts=1, window=window))


def _check_prefix(source: SourceLedger, bootstrap: str) -> None:
    """No stored offset passes a record that was not acknowledged."""
    acknowledged = source.acknowledged()
    if not acknowledged:
        raise ViolationError("nothing was acknowledged: the history did not take place")
    for stream, last in source.stored(bootstrap).items():
        passed = [n for n in range(last + 1) if f"{stream}:{n}" not in acknowledged]
        if passed:
            raise ViolationError(f"the stored offset {last} of stream {stream} passes {passed[:5]}, not acknowledged")
