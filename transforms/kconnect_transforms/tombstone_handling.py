"""What the TombstoneHandlers of Confluent and Aiven do alike; their words for `behavior` are their own."""

from __future__ import annotations

import logging

from kconnect.errors import DataError
from kconnect.transform import C, R, Transform


class TombstoneHandling(Transform[C]):
    """Drops records without a value, or fails on them; others pass as they are. Subclasses set what it does."""

    fails: bool
    drops_with: int
    """The level at which the log is told of a dropped one."""
    log: logging.Logger

    def apply(self, record: R) -> R | None:
        if record.value is not None:
            return record
        if self.fails:
            raise DataError(f"a tombstone for the key {record.key!r:.100} (behavior=fail)")
        self.log.log(self.drops_with, "a tombstone for the key %.100r: dropped", record.key)
        return None
