"""Calls into plugin code: whatever it raises gets the name of the plugin and of what was being done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kconnect.errors import ConnectError, RetriableError


def name_of(plugin: type) -> str:
    """The class's name with its module."""
    return f"{plugin.__module__}.{plugin.__qualname__}"


@contextlib.contextmanager
def plugin_call(plugin: type, method: str, owner: object) -> Iterator[None]:
    """Around one call. `owner` is the connector or task; RetriableError passes as it is, everything else becomes a
    ConnectError that says who raised what."""
    try:
        yield
    except RetriableError:
        raise
    except (Exception, SystemExit) as e:
        raise ConnectError(f"{owner}: {name_of(plugin)}.{method} raised {type(e).__name__}: {e}") from e
