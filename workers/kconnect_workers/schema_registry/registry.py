"""SchemaRegistry: decides what is registered, and writes it to the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from kconnect.errors import ConnectError, DataError
from kconnect_workers.schema_registry import compatibility
from kconnect_workers.schema_registry.formats import ParsedSchema, parse
from kconnect_workers.schema_registry.records import (
    ConfigKey,
    ConfigValue,
    DeleteSubjectKey,
    DeleteSubjectValue,
    Key,
    ModeKey,
    ModeValue,
    Reference,
    SchemaKey,
    SchemaValue,
    Value,
    encode_key,
    encode_value,
)
from kconnect_workers.schema_registry.subjects import Content, Subjects, content_of
from kconnect_workers.stores.entry_log import Apply, EntryLog

MODES: Final = ("READWRITE", "READONLY")
_REMEMBERED: Final = 1000
_LARGEST_VERSION: Final = (1 << 31) - 1


class RegistryError(ConnectError):
    """A request is refused: HTTP's `status`, the registry's own number `code`, and words."""

    def __init__(self, code: int, message: str) -> None:
        self.status = code // 100 if code >= 1000 else code
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class NewSchema:
    """What a client asks for."""

    schema: str
    schema_type: str = "AVRO"
    references: tuple[Reference, ...] = ()


class SchemaRegistry:
    """The one writer of its topic: two registries over one topic would give the same ids to different schemas.

    Belongs to one event loop. Methods raise RegistryError for what is refused, ConnectError when the log does not
    answer."""

    def __init__(self, open_log: Callable[[Apply], EntryLog]) -> None:
        self.subjects = Subjects()
        self._log = open_log(self.subjects.apply)
        self._writing = asyncio.Lock()
        self._parsed = lru_cache(_REMEMBERED)(self._parse)

    async def start(self) -> None:
        await self._log.start()

    async def stop(self) -> None:
        await self._log.stop()

    async def register(self, subject: str, new: NewSchema) -> int:
        """The id of the schema in `subject`, where it is put unless it is there already."""
        async with self._writing:
            content, parsed = await self._checked(new)
            found = self._same(subject, content)
            if found is not None:
                return found.id
            if (self.subjects.mode(subject) or self.subjects.mode(None) or MODES[0]) != MODES[0]:
                raise RegistryError(42205, f"Subject {subject} is in read-only mode")
            wrong = await self._faults(self._level(subject), parsed, self.subjects.versions(subject))
            if wrong:
                raise RegistryError(
                    409,
                    f"Schema being registered is incompatible with an earlier schema for subject {subject}, "
                    f"details: {'; '.join(wrong)}; compatibility: {self._level(subject)}",
                )
            schema_id = self.subjects.id_of(content) or self.subjects.last_id + 1
            every = self.subjects.versions(subject, deleted=True)
            version = every[-1].version + 1 if every else 1
            kind, text, references = content
            value = SchemaValue(subject, version, schema_id, text, kind, references)
            await self._append((SchemaKey(subject, version), value))
            return schema_id

    async def lookup(self, subject: str, new: NewSchema, *, deleted: bool = False) -> SchemaValue:
        self._require(subject, deleted=deleted)
        content, _ = await self._checked(new)
        found = self._same(subject, content, deleted=deleted)
        if found is None:
            raise RegistryError(40403, "Schema not found")
        return found

    async def compare(self, subject: str, new: NewSchema, version: str | None) -> list[str]:
        """What is not compatible with that version, or with those that the subject's level names (None)."""
        _, parsed = await self._checked(new)
        level = self._level(subject)
        if version is None:
            return await self._faults(level, parsed, self.subjects.versions(subject))
        against = self.version(subject, version)
        return await self._faults(level.removesuffix("_TRANSITIVE"), parsed, [against])

    def versions(self, subject: str, *, deleted: bool = False) -> list[SchemaValue]:
        return self._require(subject, deleted=deleted)

    def version(self, subject: str, version: str, *, deleted: bool = False) -> SchemaValue:
        """`version` is a number, or `latest`."""
        if version not in ("latest", "-1") and not (version.isdecimal() and 0 < int(version) <= _LARGEST_VERSION):
            raise RegistryError(
                42202,
                f"The specified version '{version}' is not a valid version id. Allowed values are between "
                f'[1, 2^31-1] and the string "latest"',
            )
        found = self._require(subject, deleted=deleted)
        if version in ("latest", "-1"):
            return found[-1]
        chosen = next((each for each in found if each.version == int(version)), None)
        if chosen is None:
            raise RegistryError(40402, f"Version {version} not found.")
        return chosen

    def schema(self, schema_id: int) -> SchemaValue:
        found = self.subjects.schema(schema_id)
        if found is None:
            raise RegistryError(40403, f"Schema {schema_id} not found")
        return found

    async def serialized(self, value: SchemaValue) -> str:
        """The schema in the form that clients may ask for besides the text, where its format has one."""
        parsed = await asyncio.to_thread(self._parsed, content_of(value))
        return parsed.serialized() or value.schema

    async def delete_version(self, subject: str, version: str, *, permanent: bool) -> int:
        """Marks the version as deleted, or takes away one that is."""
        async with self._writing:
            found = self.version(subject, version, deleted=permanent)
            if permanent and not found.deleted:
                raise RegistryError(
                    40407,
                    f"Subject '{subject}' Version {found.version} was not deleted first before being permanently "
                    "deleted",
                )
            self._refuse_if_referred_to([found])
            deleted = None if permanent else msgspec.structs.replace(found, deleted=True)
            await self._append((SchemaKey(subject, found.version), deleted))
            return found.version

    async def delete_subject(self, subject: str, *, permanent: bool) -> list[int]:
        """Marks all its versions as deleted, or takes them away if they are."""
        async with self._writing:
            every = self.subjects.versions(subject, deleted=True)
            live = self.subjects.versions(subject)
            if not every:
                raise RegistryError(40401, f"Subject '{subject}' not found.")
            if permanent and live:
                message = f"Subject '{subject}' was not deleted first before being permanently deleted"
                raise RegistryError(40405, message)
            if not permanent and not live:
                message = f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
                raise RegistryError(40404, message)
            going = every if permanent else live
            self._refuse_if_referred_to(going)
            if permanent:
                await self._append(*((SchemaKey(subject, each.version), None) for each in going))
            else:
                last = going[-1].version
                await self._append((DeleteSubjectKey(subject), DeleteSubjectValue(subject, last)))
            return [each.version for each in going]

    def level_of(self, subject: str | None, *, or_global: bool) -> str:
        """The compatibility of a subject, or of all (None)."""
        found = self.subjects.level(subject)
        if found is None and subject is not None and not or_global:
            raise RegistryError(40408, f"Subject '{subject}' does not have subject-level compatibility configured")
        return found or self._level(None)

    async def set_level(self, subject: str | None, level: str | None) -> None:
        """None takes away what was set."""
        if level is not None and level not in compatibility.LEVELS:
            raise RegistryError(
                42203, f"Invalid compatibility level. Valid values are {', '.join(compatibility.LEVELS)}"
            )
        await self._append((ConfigKey(subject), None if level is None else ConfigValue(level)))

    def mode_of(self, subject: str | None, *, or_global: bool) -> str:
        found = self.subjects.mode(subject)
        if found is None and subject is not None and not or_global:
            raise RegistryError(40409, f"Subject '{subject}' does not have subject-level mode configured")
        return found or self.subjects.mode(None) or MODES[0]

    async def set_mode(self, subject: str | None, mode: str | None) -> None:
        """None takes away what was set."""
        if mode is not None and mode not in MODES:
            raise RegistryError(42204, f"Invalid mode. Valid values are {', '.join(MODES)}")
        await self._append((ModeKey(subject), None if mode is None else ModeValue(mode)))

    def _level(self, subject: str | None) -> str:
        return self.subjects.level(subject) or self.subjects.level(None) or "BACKWARD"

    def _require(self, subject: str, *, deleted: bool = False) -> list[SchemaValue]:
        found = self.subjects.versions(subject, deleted=deleted)
        if not found:
            raise RegistryError(40401, f"Subject '{subject}' not found.")
        return found

    def _same(self, subject: str, content: Content, *, deleted: bool = False) -> SchemaValue | None:
        """The newest version of the subject that is that schema."""
        found = self.subjects.versions(subject, deleted=deleted)
        return next((each for each in reversed(found) if content_of(each) == content), None)

    async def _checked(self, new: NewSchema) -> tuple[Content, ParsedSchema]:
        """The schema as it is kept."""
        given = (new.schema_type, new.schema, new.references)
        try:
            parsed = await asyncio.to_thread(self._parsed, given)
        except DataError as error:
            raise RegistryError(42201, str(error)) from None
        return (new.schema_type, parsed.text, new.references), parsed

    async def _faults(self, level: str, new: ParsedSchema, versions: Sequence[SchemaValue]) -> list[str]:
        def compare() -> list[str]:
            return compatibility.faults(level, new, [(v.version, self._parsed(content_of(v))) for v in versions])

        return await asyncio.to_thread(compare)

    def _parse(self, content: Content) -> ParsedSchema:
        kind, text, references = content
        named: dict[str, str] = {}
        self._gather(references, named)
        return parse(kind, text, list(named.items()))

    def _gather(self, references: Sequence[Reference], named: dict[str, str]) -> None:
        for reference in references:
            if reference.name in named:
                continue
            versions = self.subjects.versions(reference.subject, deleted=True)
            found = next((each for each in versions if reference.version in (each.version, -1)), None)
            if found is None:
                raise DataError(
                    f"Invalid schema: no reference found for subject '{reference.subject}' and version "
                    f"{reference.version}"
                )
            self._gather(found.references, named)
            named[reference.name] = found.schema

    def _refuse_if_referred_to(self, versions: Sequence[SchemaValue]) -> None:
        for each in versions:
            ids = self.subjects.referring_to(each.subject, each.version)
            if ids:
                raise RegistryError(
                    42206, f"One or more references exist to the schema {each.subject}/{each.version}: ids {ids}"
                )

    async def _append(self, *entries: tuple[Key, Value | None]) -> None:
        await self._log.append(
            [(encode_key(key), None if value is None else encode_value(value)) for key, value in entries]
        )
