"""What an archive holds, in its `manifest.json`, which is written last: without it an export did not finish."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kconnect.errors import ConnectError

FORMAT = 1
"""Raised when an older version could no longer read what this one writes."""

_FILE = "manifest.json"


class ArchivedPartition(msgspec.Struct, frozen=True, kw_only=True):
    """One partition: offsets from `log_start_offset` up to `end_offset`, of which `records` are there, in `bytes`."""

    partition: int
    log_start_offset: int
    end_offset: int
    records: int
    bytes: int


class ArchivedTopic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic with the configs that were set for it, and all of its partitions in their order."""

    topic: str
    configs: dict[str, str]
    partitions: list[ArchivedPartition]


class ArchivedOffset(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group is in a partition, as it has committed it."""

    topic: str
    partition: int
    offset: int
    metadata: str = ""


class ArchivedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What a group has committed in the topics of the archive."""

    group: str
    offsets: list[ArchivedOffset]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of an archive; `exported_at` is in milliseconds since 1970."""

    format: int = FORMAT
    cluster_id: str
    exported_at: int
    topics: list[ArchivedTopic]
    groups: list[ArchivedGroup]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Raises OSError."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    unfinished = folder / f"{_FILE}.tmp"
    unfinished.write_bytes(content)
    unfinished.replace(folder / _FILE)


def read_manifest(folder: Path) -> Manifest:
    """Raises ConnectError where there is none, or none that this version reads."""
    file = folder / _FILE
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise ConnectError(
            f"{folder} has no {_FILE}: it is no export, or one that did not finish; export again"
        ) from None
    except OSError as error:
        raise ConnectError(f"{file} cannot be read: {error.strerror}") from error
    try:
        written = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("format")
        if written is None or int(bytes(written)) > FORMAT:
            raise ConnectError(
                f"{file} is of another format, and this version of kconnect reads up to {FORMAT}; import it with the "
                "version that exported it, or a later one"
            )
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConnectError(f"{file} is damaged: {error}; export again") from error


def has_manifest(folder: Path) -> bool:
    """Whether an export into `folder` was finished."""
    return (folder / _FILE).exists()
