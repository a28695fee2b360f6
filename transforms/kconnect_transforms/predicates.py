"""The predicates that decide whether a transform applies to a record."""

from __future__ import annotations

from kconnect.config import MEDIUM, CompositeValidator, Config, NonEmptyString, key
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.record import SinkRecord, SourceRecord
from kconnect.transform import Predicate


class HasHeaderKeyConfig(Config):
    name: str = key(importance=MEDIUM, validator=NonEmptyString(), doc="The key of the header.")


class HasHeaderKey(Predicate[HasHeaderKeyConfig]):
    """True for records with at least one header of a key."""

    def configure(self, config: HasHeaderKeyConfig) -> None:
        self._name = config.name

    def test(self, record: SourceRecord | SinkRecord) -> bool:
        name = self._name
        return any(header.key == name for header in record.headers)


class RecordIsTombstone(Predicate[Config]):
    """True for records whose value is null."""

    def test(self, record: SourceRecord | SinkRecord) -> bool:
        return record.value is None


class TopicNameMatchesConfig(Config):
    pattern: str = key(
        importance=MEDIUM,
        validator=CompositeValidator(NonEmptyString(), valid_regex),
        doc="What the whole topic name must match, as in Java.",
    )


class TopicNameMatches(Predicate[TopicNameMatchesConfig]):
    """True for records whose topic matches a regular expression."""

    def configure(self, config: TopicNameMatchesConfig) -> None:
        self._pattern = JavaPattern(config.pattern)

    def test(self, record: SourceRecord | SinkRecord) -> bool:
        return record.topic is not None and self._pattern.matches(record.topic)
