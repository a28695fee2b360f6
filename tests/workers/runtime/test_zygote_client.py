"""The worker's hold on its zygote."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

from kconnect_workers.runtime.zygote_client import ZygoteClient

_MANY = 400


def test_a_burst_of_forks_waits_for_its_turn() -> None:
    async def scenario() -> None:
        deaths: list[str] = []
        zygote = ZygoteClient(lambda: deaths.append("died"))
        await zygote.start()
        try:
            ours, theirs = socket.socketpair()
            ours.close()  # what is forked finds nobody there, and ends
            with theirs:
                os.kill(zygote.pid, signal.SIGSTOP)
                forks = [asyncio.create_task(zygote.fork([theirs.fileno()] * 3)) for _ in range(_MANY)]
                await asyncio.sleep(0)  # each has asked, or waits
                os.kill(zygote.pid, signal.SIGCONT)
                forked = await asyncio.gather(*forks)
            async with asyncio.timeout(60):
                await asyncio.gather(*(exited for _, exited in forked))
            assert len({pid for pid, _ in forked}) == _MANY
            assert deaths == []
        finally:
            await zygote.stop()

    asyncio.run(scenario())
