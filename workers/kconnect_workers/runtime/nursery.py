"""Nursery: the zygote of an environment and every process forked from it, alive only while the worker is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from kconnect.errors import ConnectError
from kconnect_workers.hosts.messages import FromHost, Message, Renew, ToHost
from kconnect_workers.hosts.parentage import adopt_orphans
from kconnect_workers.runtime.host_process import HostProcess
from kconnect_workers.runtime.registry import ProcessRegistry
from kconnect_workers.runtime.replacement import ReplacementPolicy
from kconnect_workers.runtime.zygote_client import ZygoteClient

log = logging.getLogger(__name__)

_FORK_WAIT_S = 60.0
_RENEWALS_PER_LEASE = 5


class Nursery:
    """Belongs to the worker's event loop. A zygote that dies is replaced, while what it forked goes on.

    Processes are registered in `folder`. Their leases, of `lease_s` seconds, are renewed while `holds_lease` says so.
    """

    def __init__(self, folder: Path, *, python: Sequence[str], lease_s: float, holds_lease: Callable[[], bool]) -> None:
        self._registry = ProcessRegistry(folder)
        self._python = python
        self._lease_s = lease_s
        self._holds_lease = holds_lease
        self._zygote: ZygoteClient | None = None
        self._zygote_up = asyncio.Event()
        self._zygote_failure: ConnectError | None = None
        self._replacements = ReplacementPolicy()
        self._hosts: set[HostProcess] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def zygote_pid(self) -> int | None:
        """None while there is none."""
        return self._zygote.pid if self._zygote is not None and self._zygote_up.is_set() else None

    async def start(self) -> None:
        """Clear what an earlier worker left, and bring the zygote up.

        Raises ConfigError when another worker uses the folder, ConnectError when the zygote does not come up."""
        cleared = self._registry.open()
        if cleared:
            log.warning("Ended %d processes that an earlier worker had left behind.", cleared)
        adopt_orphans()
        try:
            await self._start_zygote()
        except BaseException:
            self._registry.close()
            raise
        self.in_background(self._renew_leases())

    async def stop(self, timeout_s: float) -> None:
        """Kill what still runs, and the zygote. May be called twice."""
        self._stopping = True
        for task in list(self._background):
            task.cancel()
        hosts = list(self._hosts)
        for host in hosts:
            host.kill()
        if hosts:
            await asyncio.wait({host.exited for host in hosts}, timeout=timeout_s)
        if self._zygote is not None:
            await self._end_zygote(self._zygote)
            self._zygote = None
        self._registry.close()

    async def launch(self, context: str, on_message: Callable[[FromHost], None], run: ToHost) -> HostProcess:
        """Fork a host, waiting for a zygote that is being replaced. ConnectError when there is none to be had."""
        try:
            await asyncio.wait_for(self._zygote_up.wait(), _FORK_WAIT_S)
        except TimeoutError:
            raise self._zygote_failure or ConnectError("the zygote is not running") from None
        assert self._zygote is not None
        host = await HostProcess.launch(self._zygote, self._registry, context, on_message, run)
        self._hosts.add(host)
        host.exited.add_done_callback(lambda _exited: self._hosts.discard(host))
        host.send(self._renewal())
        return host

    async def renew_zygote(self) -> None:
        """Have a new zygote, which sees what was installed meanwhile; what the old one forked goes on.

        Raises ConnectError when the new one does not come up; the old one stays then."""
        old, new = self._zygote, ZygoteClient(self._zygote_died, self._python)
        try:
            await new.start()
        except ConnectError:
            await new.stop()
            raise
        self._zygote = new
        self._registry.add(new.pid)
        if old is not None:
            await self._end_zygote(old)

    def broadcast(self, message: Message) -> None:
        """Send to every process."""
        for host in self._hosts:
            host.send(message)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or the nursery stops."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _start_zygote(self) -> None:
        zygote = ZygoteClient(self._zygote_died, self._python)
        self._zygote = zygote
        await zygote.start()
        self._registry.add(zygote.pid)
        self._zygote_up.set()

    async def _end_zygote(self, zygote: ZygoteClient) -> None:
        with contextlib.suppress(ConnectError):
            self._registry.remove(zygote.pid)
        await zygote.stop()

    def _zygote_died(self) -> None:
        self._zygote_up.clear()
        if not self._stopping:
            self.in_background(self._replace_zygote())

    async def _replace_zygote(self) -> None:
        while True:
            delay = self._replacements.next_delay_s(asyncio.get_running_loop().time())
            log.warning("The zygote is gone; a new one starts in %g s. Running tasks go on.", delay)
            await asyncio.sleep(delay)
            if self._zygote is not None:
                await self._end_zygote(self._zygote)
            try:
                await self._start_zygote()
            except ConnectError as e:
                self._zygote_failure = e
                log.error("The new zygote did not start: %s", e)
            else:
                return

    def _renewal(self) -> Renew:
        return Renew(until=time.monotonic() + self._lease_s)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS_PER_LEASE)
            if self._holds_lease():
                self.broadcast(self._renewal())
