"""A transform that makes new records, which know only what it needs of the old ones."""

from __future__ import annotations

from kconnect.config import Config
from kconnect.record import SourceRecord
from kconnect.transform import Transform


class Forgetful(Transform[Config]):
    def apply(self, record: SourceRecord) -> SourceRecord | None:  # type: ignore[override]  # for sources alone
        return SourceRecord(None, None, record.topic, value=record.value)
