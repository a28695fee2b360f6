"""The heartbeats of a group member: its session is renewed whatever else waits, and what they tell is passed on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from kconnect.errors import ConnectError
from kconnect.log.protocol import ErrorCode, requests, responses
from kconnect_workers.group.backoff import Backoff
from kconnect_workers.group.coordinator_link import CoordinatorLink
from kconnect_workers.group.refusals import RefusedError, Remedy
from kconnect_workers.group.settings import GroupSettings

_logger = logging.getLogger(__name__)


class Heartbeats:
    """Beats on a link of its own, from `begin` to `end`, on the worker's event loop: a loop that hangs lets its
    session expire, and its leases with it.

    `on_rebalance` is called when the group rebalances without this member having begun to join, `on_lost`, with a
    reason, when the coordinator does not know the member any more or its session has gone unrenewed for too long.
    """

    def __init__(
        self,
        link: CoordinatorLink,
        settings: GroupSettings,
        *,
        on_rebalance: Callable[[str], None],
        on_lost: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.joining = False
        """Whether the member is about to join again, so that being told to is no news."""
        self._link = link
        self._group_id = settings.group_id
        self._interval_s = settings.heartbeat_interval_ms / 1000
        self._session_s = settings.session_timeout_ms / 1000
        self._pause = Backoff(settings)
        self._on_rebalance = on_rebalance
        self._on_lost = on_lost
        self._clock = clock
        self._identity: tuple[str, int] | None = None
        self._renewed_at: float | None = None
        self._begun = asyncio.Event()
        self._prompt = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._trouble: str | None = None

    @property
    def age_s(self) -> float:
        """Seconds since the last request was sent that has renewed the session; infinite without one."""
        if self._identity is None or self._renewed_at is None:
            return math.inf
        return self._clock() - self._renewed_at

    @property
    def trouble(self) -> str | None:
        """Why the last heartbeat failed, while none has succeeded since."""
        return self._trouble

    def begin(self, member_id: str, generation: int) -> None:
        """Beat as this member from now on, at once."""
        self._identity = member_id, generation
        self._begun.set()
        self._prompt.set()

    def end(self) -> None:
        """Beat no more: the member is not in the group."""
        self._identity = None
        self._renewed_at = None
        self._begun.clear()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def renew(self, sent_at: float) -> None:
        """A request that was sent then, by the clock, has renewed the session."""
        self._trouble = None
        if self._renewed_at is None or sent_at > self._renewed_at:
            self._renewed_at = sent_at
            if self._expiry is not None:
                self._expiry.cancel()
            remaining_s = sent_at + self._session_s - self._clock()
            self._expiry = asyncio.get_running_loop().call_later(max(0.0, remaining_s), self._expire)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await self._begun.wait()
            self._prompt.clear()
            started = self._clock()
            try:
                await self._beat()
            except ConnectError as error:
                self._note(str(error))
                pause_s = self._pause.next_s()
            else:
                self._pause.reset()
                pause_s = started + self._interval_s - self._clock()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._prompt.wait(), max(0.0, pause_s))

    async def _beat(self) -> None:
        identity = self._identity
        if identity is None:
            return
        member_id, generation = identity
        sent_at = self._clock()
        request = requests.Heartbeat(group_id=self._group_id, member_id=member_id, generation_id=generation)
        answer = await self._link.ask(request, responses.Heartbeat)
        if self._identity is None or self._identity[0] != member_id:
            return
        code = answer.error_code
        if code in (ErrorCode.NONE, ErrorCode.REBALANCE_IN_PROGRESS):
            self.renew(sent_at)
            if code and not self.joining:
                self._on_rebalance("the group rebalances")
            return
        refused = RefusedError(f"a heartbeat to group {self._group_id}", code)
        if refused.remedy is Remedy.JOIN_ANEW:
            self._on_lost("the coordinator has taken this worker out of the group")
        elif refused.remedy is Remedy.JOIN_AGAIN:
            # While joining, the answer that names the new generation is under way.
            if self._identity == identity and not self.joining:
                self._on_rebalance("the group has rebalanced without this worker")
        else:
            if refused.remedy is Remedy.FIND_COORDINATOR:
                self._link.disconnect()
            raise refused

    def _note(self, trouble: str) -> None:
        if self._trouble is None:
            _logger.warning("A heartbeat to group %s failed, and is tried again: %s", self._group_id, trouble)
        self._trouble = trouble

    def _expire(self) -> None:
        because = f": {self._trouble}" if self._trouble else ""
        self._on_lost(f"no heartbeat has succeeded for {self._session_s:g} s{because}")
