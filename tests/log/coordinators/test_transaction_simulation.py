"""Transactions on real files, step by step: producers, zombies, kills and power losses in any order.

What is checked is what a reader of committed data is promised: a transaction is seen whole or not at all, for good
once its producer was told so.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from kconnect.log.coordinators.coordinator import GroupCoordinator
from kconnect.log.coordinators.end_markers import EndMarkers
from kconnect.log.coordinators.offset_records import CommittedOffset
from kconnect.log.coordinators.offsets_log import OffsetsLog
from kconnect.log.coordinators.transaction import ProducerIdentity
from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
from kconnect.log.coordinators.transaction_log import TransactionLog
from kconnect.log.errors import RequestError
from kconnect.log.protocol.batch import Attribute, batches
from kconnect.log.protocol.control import ControlType, read_end_marker
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.settings import BrokerSettings
from kconnect.log.storage import syncer as syncer_module
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.partition import Partition
from kconnect.log.storage.producer_ids import ProducerIds
from kconnect.log.storage.syncer import Syncer
from kconnect.log.storage.topic import OFFSETS_TOPIC
from kconnect.log.storage.topic_store import TopicStore
from kconnect.log.topic_admin import TopicAdmin

TIMEOUT_MS = 10_000
GROUP = "g"


class ManualClock:
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def now(self) -> int:
        return self.time


@dataclass
class StepLoop:
    """The loop's side: calls wait here until the test lets them run, timers until their time has come."""

    clock: ManualClock
    calls: deque[Callable[[], None]] = field(default_factory=deque)
    timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.calls.append(callback)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.clock.time + 1000 * seconds, callback))

    def run_due(self) -> None:
        due = [entry for entry in self.timers if entry[0] <= self.clock.time]
        self.timers = [entry for entry in self.timers if entry not in due]
        for _, callback in due:
            callback()


class Disk:
    """What of each file a power loss leaves: the bytes that were synced, and of the rest what chance wrote back."""

    def __init__(self) -> None:
        self._synced: dict[int, int] = {}

    def sync(self, fd: int) -> None:
        status = os.fstat(fd)
        self._synced[status.st_ino] = status.st_size

    def lose_power(self, folder: Path, chance: random.Random) -> None:
        for path in folder.rglob("*"):
            if path.is_file() and chance.random() < 0.6:
                status = path.stat()
                kept = self._synced.get(status.st_ino, 0)
                if kept < status.st_size:
                    os.truncate(path, kept)


class Node:
    """The log of one process, without sockets and its event loop."""

    def __init__(self, data: Path, clock: ManualClock) -> None:
        loop: Any = StepLoop(clock)
        self.loop: StepLoop = loop
        self.data_dir = DataDir.open(data)
        self.syncer = Syncer(self.loop.call_soon)
        self.topics = TopicStore(self.data_dir, self.syncer.mark_dirty)
        self.topics.open()
        broker = BrokerSettings()
        admin = TopicAdmin(self.topics, self.syncer, broker, on_delete=lambda _: None)
        for name in ("t", "u"):
            if name not in self.topics.by_name:
                self.topics.create(name, 1, {"segment.bytes": "700", "index.interval.bytes": "0"})
        self.groups = GroupCoordinator(loop, OffsetsLog(self.topics, admin, self.syncer), initial_rebalance_delay=0)
        self.groups.load()
        ids = ProducerIds(self.data_dir.path / "producer-ids")
        markers = EndMarkers(self.topics, self.groups)
        log = TransactionLog(self.topics, admin, self.syncer)
        steady: Any = clock
        self.transactions = TransactionCoordinator(loop, log, markers, self.syncer, ids, steady, broker)
        self.transactions.load(self.topics)
        self.transactions.start()

    def step(self) -> bool:
        """Let one thing happen that waits; False where nothing does."""
        if not self.loop.calls:
            return False
        self.loop.calls.popleft()()
        settled = threading.Event()
        self.syncer.run(settled.set)
        assert settled.wait(30)
        return True

    def checkpoint(self) -> None:
        for partition in self.topics.partitions():
            partition.save_helpers()
        self.syncer.sync(lambda: self.topics.recovery_points_writer()())

    def end(self) -> None:
        """As a kill: nothing is written any more."""
        for partition in self.topics.partitions():
            partition.abandon()
        self.syncer.close([])
        self.data_dir.close()


@dataclass
class Transaction:
    """What a producer put into a transaction, and what it was told of its end."""

    number: int
    partitions: set[str] = field(default_factory=set)
    offset: bool = False
    asked: bool | None = None
    told: bool | None = None


@dataclass
class Client:
    """A producer with the id that it was given."""

    transactional_id: str
    identity: ProducerIdentity
    sequences: dict[str, int] = field(default_factory=dict)
    open: Transaction | None = None
    waits: bool = False
    ends: bool = False


class Transactions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.data = Path(tempfile.mkdtemp(prefix="kconnect-simulation-"))
        self.clock = ManualClock()
        self.disk = Disk()
        self.clients: list[Client] = []
        self.all: list[Transaction] = []
        self._patches = pytest.MonkeyPatch()
        self._patches.setattr(syncer_module, "_fdatasync", self.disk.sync)
        self._patches.setattr(os, "fsync", self.disk.sync)
        self.node = Node(self.data, self.clock)

    def teardown(self) -> None:
        try:
            self.settle()
            self.check()
        finally:
            self.node.end()
            self._patches.undo()
            shutil.rmtree(self.data)

    # Producers

    @initialize()
    def begin(self) -> None:
        self.take_over("a")
        self.settle()

    @rule(transactional_id=st.sampled_from("ab"))
    def take_over(self, transactional_id: str) -> None:
        def reply(error: ErrorCode, identity: ProducerIdentity | None) -> None:
            if identity is not None:
                self.clients.append(Client(transactional_id, identity))

        self.node.transactions.init_producer(transactional_id, TIMEOUT_MS, None, reply)

    @precondition(lambda self: self.clients)
    @rule(pick=st.integers(0, 20), topics=st.sampled_from(["t", "u", "tu"]))
    def write(self, pick: int, topics: str) -> None:
        """A batch to each topic, of whichever producer: of a zombie too."""
        client = self.clients[pick % len(self.clients)]
        if client.waits:
            return
        if client.open is None:
            client.open = Transaction(len(self.all))
            self.all.append(client.open)
        transaction, node = client.open, self.node

        def added(error: ErrorCode) -> None:
            client.waits = False
            if error or node is not self.node:
                return
            for topic in topics:
                with contextlib.suppress(RequestError):
                    self.append(client, transaction, topic)

        client.waits = True
        partitions = frozenset((topic, 0) for topic in topics)
        node.transactions.add_partitions(client.transactional_id, client.identity, partitions, added)

    def append(self, client: Client, transaction: Transaction, topic: str) -> None:
        sequence = client.sequences.get(topic, 0)
        batch = build_batch(
            [Record(0, self.clock.time, None, b"%d" % transaction.number)],
            attributes=Attribute.TRANSACTIONAL,
            producer_id=client.identity.producer_id,
            producer_epoch=client.identity.epoch,
            base_sequence=sequence,
        )
        self.node.transactions.check_partition(client.transactional_id, client.identity, (topic, 0))
        self.node.topics.by_name[topic].partitions[0].append(memoryview(batch), in_transaction=True)
        client.sequences[topic] = sequence + 1
        transaction.partitions.add(topic)

    @precondition(lambda self: self.clients)
    @rule(pick=st.integers(0, 20))
    def commit_offset(self, pick: int) -> None:
        client = self.clients[pick % len(self.clients)]
        transaction, node = client.open, self.node
        if client.waits or transaction is None:
            return
        partition = OFFSETS_TOPIC, node.groups.log_partition(GROUP)

        def added(error: ErrorCode) -> None:
            client.waits = False
            if error or node is not self.node:
                return
            committed = CommittedOffset(transaction.number, -1, "", self.clock.time)
            try:
                node.transactions.check_partition(client.transactional_id, client.identity, partition)
                node.groups.commit_in_transaction(GROUP, client.identity, {("s", transaction.number): committed})
            except RequestError:
                return
            transaction.offset = True

        client.waits = True
        node.transactions.add_partitions(client.transactional_id, client.identity, frozenset({partition}), added)

    @precondition(lambda self: self.clients)
    @rule(pick=st.integers(0, 20), commit=st.booleans())
    def end(self, pick: int, commit: bool) -> None:
        client = self.clients[pick % len(self.clients)]
        transaction = client.open
        if client.waits or transaction is None:
            return

        def reply(error: ErrorCode) -> None:
            client.waits = client.ends = False
            if error is ErrorCode.NONE and (transaction.partitions or transaction.offset):
                transaction.told = commit

        transaction.asked = commit
        client.waits = client.ends = True
        client.open = None
        self.node.transactions.end(client.transactional_id, client.identity, commit=commit, reply=reply)

    # The world

    @rule(steps=st.integers(1, 4))
    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            self.node.step()

    @rule(milliseconds=st.sampled_from([500, 3000, TIMEOUT_MS]))
    def pass_time(self, milliseconds: int) -> None:
        self.clock.time += milliseconds
        self.node.loop.run_due()

    @rule()
    def checkpoint(self) -> None:
        self.node.checkpoint()

    @rule(power_loss=st.booleans(), seed=st.integers(0, 1 << 30))
    def crash(self, power_loss: bool, seed: int) -> None:
        self.node.end()
        if power_loss:
            self.disk.lose_power(self.data, random.Random(seed))
            self.clients = []  # what was appended may be gone, so that their sequences are of no use
        # Who awaits the end of a transaction would have to ask again first; the others go on where they were.
        self.clients = [client for client in self.clients if not client.ends]
        for client in self.clients:
            client.waits = False
        self.node = Node(self.data, self.clock)

    # What has to hold

    def settle(self) -> None:
        """Let everything come to its end, the time of all transactions included."""
        for _ in range(4):
            self.settle_calls()
            self.clock.time += TIMEOUT_MS
            self.node.loop.run_due()
        self.settle_calls()

    def settle_calls(self) -> None:
        """Let happen what waits for nothing but its turn."""
        while self.node.step():
            pass

    def check(self) -> None:
        topics = self.node.topics
        seen = {name: committed_values(topics.by_name[name].partitions[0]) for name in "tu"}
        offsets = {partition for _, partition in self.node.groups.committed(GROUP)}
        for partition in topics.partitions():
            assert partition.last_stable_offset == partition.high_watermark
        for transaction in self.all:
            parts = [transaction.number in seen[topic] for topic in sorted(transaction.partitions)]
            if transaction.offset:
                parts.append(transaction.number in offsets)
            if not parts:
                continue
            assert len(set(parts)) == 1, f"{transaction} is seen in part: {parts}"
            if transaction.told is not None:
                assert parts[0] == transaction.told, f"{transaction} was told otherwise"
            if not transaction.asked:
                assert not parts[0], f"{transaction} was never to be committed"


def committed_values(partition: Partition) -> set[int]:
    """What a consumer that reads committed data alone takes from a partition."""
    values: set[int] = set()
    offset = partition.log_start_offset
    while offset < partition.last_stable_offset:
        data, aborted = partition.read_committed(offset, 1 << 20, at_least_one=True)
        assert data, f"nothing is there at {offset}, before the end"
        to_come = sorted(aborted, key=lambda one: one.first_offset)
        aborting: set[int] = set()
        for header, batch in batches(memoryview(data), partial=True):
            while to_come and to_come[0].first_offset <= header.last_offset:
                aborting.add(to_come.pop(0).producer_id)
            if header.is_control:
                if read_end_marker(read_records(header, batch)[0]).type is ControlType.ABORT:
                    aborting.discard(header.producer_id)
            elif header.producer_id not in aborting:
                values.update(int(record.value or b"") for record in read_records(header, batch))
            offset = header.last_offset + 1
    return values


def test_transactions_are_seen_whole_or_not_at_all_whatever_happens() -> None:
    run_state_machine_as_test(Transactions, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))


@pytest.mark.parametrize("steps", range(7))
@pytest.mark.parametrize("commit", [True, False])
def test_a_power_loss_between_any_two_steps_of_an_end_leaves_a_transaction_whole(commit: bool, steps: int) -> None:
    for seed in range(12):
        machine = Transactions()
        machine.begin()
        machine.write(pick=0, topics="tu")
        machine.commit_offset(pick=0)
        machine.end(pick=0, commit=commit)
        machine.go_on(steps)
        machine.crash(power_loss=True, seed=seed)
        machine.teardown()


@pytest.mark.parametrize("by", ["its producer", "another producer", "time"])
def test_nothing_more_is_written_to_a_transaction_that_is_being_ended(by: str) -> None:
    """What has to be synced before the decision is taken was settled when the end began."""
    machine = Transactions()
    machine.begin()
    machine.write(pick=0, topics="t")
    machine.settle_calls()
    (client,) = machine.clients
    partition = ("t", 0)
    transactions = machine.node.transactions
    transactions.check_partition(client.transactional_id, client.identity, partition)
    if by == "its producer":
        machine.end(pick=0, commit=True)
    elif by == "another producer":
        machine.take_over(client.transactional_id)
    else:
        machine.pass_time(TIMEOUT_MS)
    with pytest.raises(RequestError) as refused:
        transactions.check_partition(client.transactional_id, client.identity, partition)
    assert refused.value.code is ErrorCode.CONCURRENT_TRANSACTIONS
    machine.teardown()
