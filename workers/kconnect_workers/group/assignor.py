"""The incremental cooperative assignor (KIP-415): who of a group runs what, changing as little as can be.

A pure object: what it knows of earlier rounds is in its attributes, and time comes in with each call.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kconnect_workers.group.balance import deal, surplus
from kconnect_workers.group.work import NOTHING, ConnectorsAndTasks

_BACKOFF_FACTOR = 40  # of one millisecond, for each revoking round after another


@dataclass(frozen=True, slots=True)
class ClusterAssignment:
    """One round, by member: what each is newly given, what it must give up, and what it has when both are done.

    After `delay_ms`, unless 0, the members are to join again: then what waits is assigned or revoked."""

    assigned: Mapping[str, ConnectorsAndTasks]
    revoked: Mapping[str, ConnectorsAndTasks]
    owned: Mapping[str, ConnectorsAndTasks]
    delay_ms: int


class IncrementalCooperativeAssignor:
    """Assigns in a leader, round by round, as Kafka Connect's does.

    What a member that left had waits `max_delay_ms` for it to come back, then goes to the workers that joined
    meanwhile, or to all. What a worker has above its share is revoked in one round and assigned in the next; rounds
    that revoke one after another are kept apart by a growing delay.
    """

    def __init__(self, max_delay_ms: int) -> None:
        self._max_delay_ms = max_delay_ms
        self._previous = NOTHING
        self._previous_revocation = NOTHING
        self._previous_generation = -1
        self._previous_members: frozenset[str] = frozenset()
        self._candidates: dict[str, None] = {}
        """Workers that had nothing when something was lost, in the order in which they came."""
        self._revoked_in_previous = False
        self._successive_revocations = 0
        self._delay_ms = 0
        self._scheduled_ms = 0

    @property
    def scheduled_rebalance_ms(self) -> int:
        """When the delay that runs is over, in the time of the calls; 0 when none does."""
        return self._scheduled_ms

    def assign(
        self,
        configured: ConnectorsAndTasks,
        held: Mapping[str, ConnectorsAndTasks],
        *,
        generation: int,
        last_completed_generation: int,
        now_ms: int,
    ) -> ClusterAssignment:
        """Divide `configured` among the members of `held`, which says what each has; their order decides between
        equals. `last_completed_generation` is the last whose assignment this leader has itself received: where it is
        not that of the previous round, what was assigned then is not relied on."""
        if self._previous_generation != last_completed_generation:
            self._previous = NOTHING
        active = ConnectorsAndTasks.union(held.values())
        if self._previous_revocation & active:
            self._previous = active  # it did not take effect: to be revoked again
        self._previous_revocation = NOTHING

        deleted = self._previous - configured
        lost = self._previous - active - deleted
        created = configured - self._previous - active
        unwanted = deleted | _duplicated(held.values())
        revoked = {member: work & unwanted for member, work in held.items()}
        kept = {member: work - unwanted for member, work in held.items()}

        after, unassigned = self._take_lost(lost, kept, now_ms)
        balancing = self._revoke_surplus(configured, after, now_ms)
        for member, work in balancing.items():
            revoked[member] |= work
            after[member] -= work
        after = _dealt(created.sorted() | unassigned.sorted(), after)

        self._previous_revocation = ConnectorsAndTasks.union(revoked.values())
        self._previous = (ConnectorsAndTasks.union(after.values()) - self._previous_revocation) | lost
        self._previous_generation = generation
        self._previous_members = frozenset(held)
        return ClusterAssignment(
            assigned={member: work - (held[member] - deleted) for member, work in after.items()},
            revoked=revoked,
            owned={member: work - revoked[member] for member, work in after.items()},
            delay_ms=self._delay_ms,
        )

    def _take_lost(
        self, lost: ConnectorsAndTasks, kept: Mapping[str, ConnectorsAndTasks], now_ms: int
    ) -> tuple[dict[str, ConnectorsAndTasks], ConnectorsAndTasks]:
        """What each has when workers that waited for it have taken what was lost, and what of it anybody may take.
        Where neither is so, the delay runs."""
        after = dict(kept)
        if not lost and not self._revoked_in_previous:
            self._end_delay()
            return after, NOTHING
        nobody_left = self._scheduled_ms <= 0 and self._previous_members <= kept.keys()
        if nobody_left or self._max_delay_ms == 0:
            return after, lost
        if 0 < self._scheduled_ms <= now_ms:
            candidates = [member for member in self._candidates if member in kept]
            self._end_delay()
            self._revoked_in_previous = False
            if not candidates:
                return after, lost
            return _take_turns(lost, candidates, after), NOTHING
        self._candidates |= dict.fromkeys(member for member, work in kept.items() if not work)
        remaining_ms = self._scheduled_ms - now_ms
        self._delay_ms = min(remaining_ms, self._max_delay_ms) if remaining_ms > 0 else self._max_delay_ms
        self._scheduled_ms = now_ms + self._delay_ms
        return after, NOTHING

    def _end_delay(self) -> None:
        self._candidates.clear()
        self._scheduled_ms = 0
        self._delay_ms = 0

    def _revoke_surplus(
        self, configured: ConnectorsAndTasks, held: Mapping[str, ConnectorsAndTasks], now_ms: int
    ) -> Mapping[str, ConnectorsAndTasks]:
        """What is to be revoked for the sake of balance; nothing while a delay runs."""
        if self._delay_ms:
            self._revoked_in_previous = False
            return {}
        excess = _surplus(configured, held)
        if not excess:
            self._revoked_in_previous = False
            self._successive_revocations = 0
            return {}
        if not self._revoked_in_previous:
            self._revoked_in_previous = True
            return excess
        self._successive_revocations += 1
        self._delay_ms = _backoff_ms(self._successive_revocations, self._max_delay_ms)
        if self._delay_ms == 0:
            return excess
        self._scheduled_ms = now_ms + self._delay_ms
        return {}


def _duplicated(held: Iterable[ConnectorsAndTasks]) -> ConnectorsAndTasks:
    """What more than one member has."""
    held = list(held)
    connectors = Counter(connector for work in held for connector in work.connectors)
    tasks = Counter(task for work in held for task in work.tasks)
    return ConnectorsAndTasks.of(
        (connector for connector, count in connectors.items() if count > 1),
        (task for task, count in tasks.items() if count > 1),
    )


def _take_turns(
    work: ConnectorsAndTasks, members: list[str], held: Mapping[str, ConnectorsAndTasks]
) -> dict[str, ConnectorsAndTasks]:
    """`held` with `work` besides, one for each of `members` in turn, whatever they have."""
    work, count = work.sorted(), len(members)
    return dict(held) | {
        member: held[member] | ConnectorsAndTasks(work.connectors[turn::count], work.tasks[turn::count])
        for turn, member in enumerate(members)
    }


def _dealt(work: ConnectorsAndTasks, held: Mapping[str, ConnectorsAndTasks]) -> dict[str, ConnectorsAndTasks]:
    """`held` with `work` besides, in its order to those that have least; names decide between equals."""
    members = sorted(held)
    connectors = deal(work.connectors, {member: len(held[member].connectors) for member in members})
    tasks = deal(work.tasks, {member: len(held[member].tasks) for member in members})
    return {member: held[member] | ConnectorsAndTasks.of(connectors[member], tasks[member]) for member in held}


def _surplus(
    configured: ConnectorsAndTasks, held: Mapping[str, ConnectorsAndTasks]
) -> Mapping[str, ConnectorsAndTasks]:
    if not configured:
        return {}
    connectors = surplus(len(configured.connectors), {member: work.connectors for member, work in held.items()})
    tasks = surplus(len(configured.tasks), {member: work.tasks for member, work in held.items()})
    return {
        member: ConnectorsAndTasks.of(connectors.get(member, ()), tasks.get(member, ()))
        for member in held
        if member in connectors or member in tasks
    }


def _backoff_ms(attempts: int, most_ms: int) -> int:
    """Kafka's ExponentialBackoff without jitter, which begins at one millisecond."""
    if most_ms <= 1:
        return most_ms
    exponent = min(attempts, math.log(most_ms) / math.log(_BACKOFF_FACTOR))
    return min(int(_BACKOFF_FACTOR**exponent), most_ms)
