"""What the registry holds: subjects with their versions, schemas by their ids, levels and modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from kconnect_workers.schema_registry.records import (
    VALUES,
    ConfigKey,
    ConfigValue,
    DeleteSubjectKey,
    DeleteSubjectValue,
    ModeKey,
    ModeValue,
    Reference,
    SchemaKey,
    SchemaValue,
    decode_key,
)

Content: TypeAlias = tuple[str, str, tuple[Reference, ...]]
"""A schema by itself: its type, its text, what it refers to."""


def content_of(value: SchemaValue) -> Content:
    return value.schemaType, value.schema, value.references


class Subjects:
    """Follows the topic, record by record; decides nothing."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, SchemaValue]] = {}
        self._schemas: dict[int, SchemaValue] = {}
        self._ids: dict[Content, int] = {}
        self._levels: dict[str | None, str] = {}
        self._modes: dict[str | None, str] = {}
        self.last_id = 0

    def apply(self, key: bytes, value: bytes | None) -> None:
        """One record. ValueError for one that is not of this topic."""
        decoded = decode_key(key)
        kind = VALUES.get(type(decoded))
        said = None if value is None or kind is None else msgspec.json.decode(value, type=kind)
        match decoded, said:
            case SchemaKey(), SchemaValue():
                self._put(said)
            case SchemaKey(), None:
                self._versions.get(decoded.subject, {}).pop(decoded.version, None)
            case ConfigKey(), _:
                level = said.compatibilityLevel if isinstance(said, ConfigValue) else None
                _set(self._levels, decoded.subject, level)
            case ModeKey(), _:
                _set(self._modes, decoded.subject, said.mode if isinstance(said, ModeValue) else None)
            case DeleteSubjectKey(), DeleteSubjectValue():
                versions = self._versions.get(said.subject, {})
                for number, each in versions.items():
                    if number <= said.version:
                        versions[number] = msgspec.structs.replace(each, deleted=True)

    def _put(self, value: SchemaValue) -> None:
        self._versions.setdefault(value.subject, {})[value.version] = value
        self._schemas.setdefault(value.id, value)
        self._ids.setdefault(content_of(value), value.id)
        self.last_id = max(self.last_id, value.id)

    def names(self, *, deleted: bool = False) -> list[str]:
        """Subjects that have a version; with `deleted`, deleted ones count."""
        return sorted(name for name in self._versions if self.versions(name, deleted=deleted))

    def versions(self, subject: str, *, deleted: bool = False) -> list[SchemaValue]:
        """The oldest first."""
        found = self._versions.get(subject, {})
        return [found[number] for number in sorted(found) if deleted or not found[number].deleted]

    def schema(self, schema_id: int) -> SchemaValue | None:
        """One of the versions that have, or had, that id."""
        return self._schemas.get(schema_id)

    def id_of(self, content: Content) -> int | None:
        return self._ids.get(content)

    def with_id(self, schema_id: int, *, deleted: bool = False) -> Iterator[SchemaValue]:
        for name in self.names(deleted=True):
            yield from (each for each in self.versions(name, deleted=deleted) if each.id == schema_id)

    def referring_to(self, subject: str, version: int) -> list[int]:
        """The ids of schemas, not deleted, that refer to a version."""
        return sorted(
            {
                each.id
                for name in self.names()
                for each in self.versions(name)
                if any((ref.subject, ref.version) == (subject, version) for ref in each.references)
            }
        )

    def level(self, subject: str | None) -> str | None:
        """The compatibility that was set for a subject, or for all (None)."""
        return self._levels.get(subject)

    def mode(self, subject: str | None) -> str | None:
        return self._modes.get(subject)


def _set(where: dict[str | None, str], subject: str | None, value: str | None) -> None:
    if value is None:
        where.pop(subject, None)
    else:
        where[subject] = value
