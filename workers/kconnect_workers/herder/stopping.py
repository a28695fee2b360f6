"""The error of requests that come while the worker stops."""

from __future__ import annotations

from kconnect.errors import ConnectError


class StoppingError(ConnectError):
    """The worker is stopping: it takes no changes any more, and begins nothing."""

    def __init__(self) -> None:
        super().__init__("the worker is stopping and takes no changes any more; ask it again when it is back")
