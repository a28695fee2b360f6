"""Filter: drops records; of use with a predicate."""

from __future__ import annotations

from collections.abc import Sequence

from kconnect.config import Config
from kconnect.transform import R, Transform


class Filter(Transform[Config]):
    """Drops every record that its predicate lets it have."""

    def apply(self, record: R) -> R | None:
        return None

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        return [None] * len(records)
