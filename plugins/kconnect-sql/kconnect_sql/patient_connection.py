"""A connection to PostgreSQL whose patience has an end."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
Answer = Generator[Any, Any, T]


class PatientConnection(psycopg.Connection[Any]):
    """Waits `patience_seconds` for each answer (None: for ever), or for each part of a long one. Then the connection is
    closed, and psycopg.OperationalError raised: a server that hangs keeps its sockets, so that no keepalive tells.
    """

    patience_seconds: float | None = None

    def wait(self, gen: Answer[T], *args: Any, **kwargs: Any) -> T:
        """All that psycopg waits for on a connection, it waits for by this."""
        if self.patience_seconds is not None:
            gen = self._bounded(gen, self.patience_seconds)
        return super().wait(gen, *args, **kwargs)

    def _bounded(self, gen: Answer[T], patience: float) -> Answer[T]:
        """`gen`, which is woken now and then with no socket ready."""
        try:
            wanted = next(gen)
            since = time.monotonic()
            while True:
                ready = yield wanted
                if ready:
                    since = time.monotonic()
                elif time.monotonic() - since >= patience:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(
                        f"no answer for {patience:g} s (socketTimeout in connection.url), so the connection was closed"
                    )
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return] # StopIteration's value has no type
