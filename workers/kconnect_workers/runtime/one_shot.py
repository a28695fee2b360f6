"""One question put to plugin code: asked in a process of its own, with a deadline, so that nothing it does matters
to anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from kconnect import errors
from kconnect.errors import ConfigError, ConnectError
from kconnect.plugin import PluginLoadError
from kconnect_workers.hosts.messages import FromHost, Message, Refused, ToHost
from kconnect_workers.runtime.host_process import HostProcess

M = TypeVar("M", bound=Message)

Launch = Callable[[str, Callable[[FromHost], None], ToHost], Awaitable[HostProcess]]
"""Forks a host: context of its log lines, what takes its messages, what to run."""


async def ask(launch: Launch, question: ToHost, answer: type[M], *, about: str, timeout_s: float) -> M:
    """Fork, ask, and return the answer. `about` names the plugin in errors.

    Raises what the host refused with, ConfigError when it does not answer within `timeout_s` seconds (it is killed
    then), ConnectError when it dies."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[FromHost] = loop.create_future()

    def receive(message: FromHost) -> None:
        if isinstance(message, (answer, Refused)) and not answered.done():
            answered.set_result(message)

    host = await launch(f"[{about}|{_verb(question)}] ", receive, question)
    try:
        outcomes: set[asyncio.Future[Any]] = {answered, host.exited}
        await asyncio.wait(outcomes, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not answered.done():
            host.kill()
    if answered.done():
        message = answered.result()
        if isinstance(message, Refused):
            raise _error(message)
        assert isinstance(message, answer)
        return message
    if host.exited.done():
        raise ConnectError(f"{about}: the process that should {_verb(question)} it {host.exited.result().report}")
    raise ConfigError(
        f"{about} did not {_verb(question)} within {timeout_s:g} s and was ended",
        suggestion="look for an outside system that does not answer, or for a loop in the plugin",
    )


def _verb(question: ToHost) -> str:
    return {
        "ListPlugins": "list",
        "DescribePlugin": "describe",
        "ValidateConfig": "validate",
        "AlterOffsets": "alter offsets",
    }[type(question).__name__]


def _error(refused: Refused) -> ConnectError:
    """The error of the tree that the host named; a plain ConnectError for any other name."""
    if refused.broken is not None:
        return PluginLoadError(refused.message, refused.broken)
    found = getattr(errors, refused.error, ConnectError)
    if isinstance(found, type) and issubclass(found, ConnectError):
        return found(refused.message)
    return ConnectError(refused.message)
