"""Calls into plugin code: whatever it raises gets the name of the plugin and of what was being done, and what does not
return can be named."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kconnect.errors import ConnectError, RetriableError


def name_of(plugin: type) -> str:
    """The class's name with its module."""
    return f"{plugin.__module__}.{plugin.__qualname__}"


@dataclass(frozen=True, slots=True, eq=False)
class PluginCall:
    """One call; `began` by the monotonic clock."""

    plugin: type
    method: str
    owner: object
    began: float

    def __str__(self) -> str:
        return f"{self.owner}: {name_of(self.plugin)}.{self.method}"


def call_under_way() -> PluginCall | None:
    """The call that this process is in, the inmost of several; for any thread."""
    return next(iter(_under_way[-1:]), None)


@contextlib.contextmanager
def plugin_call(plugin: type, method: str, owner: object) -> Iterator[None]:
    """Around one call, by the process's main thread. `owner` is the connector or task; RetriableError passes as it is,
    everything else becomes a ConnectError that says who raised what."""
    _under_way.append(PluginCall(plugin, method, owner, time.monotonic()))
    try:
        yield
    except RetriableError:
        raise
    except (Exception, SystemExit) as e:
        raise ConnectError(f"{owner}: {name_of(plugin)}.{method} raised {type(e).__name__}: {e}") from e
    finally:
        _under_way.pop()


_under_way: list[PluginCall] = []
"""Of this process, which lives for one connector or task."""
