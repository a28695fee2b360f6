"""MULTI/EXEC on one link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ExecAbortError, ResponseError

from kconnect import ConnectError, DataError
from kconnect_redis.failures import translated
from kconnect_redis.link import Command, Link


def execute(link: Link, commands: Sequence[Command]) -> list[Any] | None:
    """The answers to `commands`, all of which ran, alone; None where a watched key had changed, and none ran.

    Errors of single commands are among the answers, the others count. Raises ConnectError and its kinds where the
    transaction was refused as a whole."""
    answers = link.send([("MULTI",), *commands, ("EXEC",)])
    outcome = answers[-1]
    if not isinstance(outcome, ResponseError):
        return outcome if outcome is None else list(outcome)
    refused = [answer for answer in answers[:-1] if isinstance(answer, ResponseError)]
    error = translated(refused[0] if refused and isinstance(outcome, ExecAbortError) else outcome, link.address)
    # Not the fault of data: that shows when a command runs.
    raise ConnectError(str(error)) if isinstance(error, DataError) else error
