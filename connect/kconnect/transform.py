"""The transform and predicate contracts: single-message transforms (KIP-66, KIP-585)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from kconnect.config import Config
from kconnect.configured import Configured
from kconnect.record import SinkRecord, SourceRecord

C = TypeVar("C", bound=Config)
R = TypeVar("R", SourceRecord, SinkRecord)


class Transform(Configured, ABC, Generic[C]):
    """Changes one record at a time. Used by one thread.

    The record given is never changed: return a new one (`msgspec.structs.replace` for attributes, a new dict for a
    value that is written to), the same one, or None to drop it. Raise DataError for a record that does not fit.
    """

    def configure(self, config: C) -> None:
        """Called once, before the first record."""

    @abstractmethod
    def apply(self, record: R) -> R | None:
        """The record to go on with; None drops it."""

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        """`apply` to each, in order: one result per record. Override where work can be shared between records;
        if this raises, the framework finds the bad record by `apply`, from the untouched records."""
        apply = self.apply
        return [apply(record) for record in records]

    def close(self) -> None:
        """Release what is held. May be called twice."""


class Predicate(Configured, ABC, Generic[C]):
    """Decides whether a transform applies to a record."""

    def configure(self, config: C) -> None:
        """Called once, before the first record."""

    @abstractmethod
    def test(self, record: SourceRecord | SinkRecord) -> bool: ...

    def close(self) -> None:
        """Release what is held. May be called twice."""
