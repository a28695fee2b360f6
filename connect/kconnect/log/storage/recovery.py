"""Opening the segments of a partition again: what is checked, what is cut, what is refused.

Batches from the recovery point on are read and their checksums compared; the first torn one, and what is
behind it, was never synced and is cut. Below the recovery point everything once was synced: what is missing
or broken there was damaged since, and nobody but the owner may decide to give it up. After an orderly end
the recovery point is the end of the log, and there is next to nothing to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError
from kconnect.log.protocol.control import read_end_marker
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.records import read_records
from kconnect.log.storage import segment_files
from kconnect.log.storage.producer_snapshots import load_snapshot
from kconnect.log.storage.producer_state import ProducerStates
from kconnect.log.storage.segment import Segment

if TYPE_CHECKING:
    from pathlib import Path

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.protocol.control import EndMarker


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A partition's segments, oldest first and at least one, as they are after recovery."""

    segments: list[Segment]
    log_end_offset: int
    producers: ProducerStates
    cut_bytes: int


def recover(folder: Path, *, recovery_point: int, log_start_offset: int, index_interval: int) -> Recovered:
    """Open the partition in `folder`, of which all offsets below `recovery_point` were synced.

    Raises CorruptLogError where something below `recovery_point` is damaged (no record is touched then), and
    OSError.
    """
    segment_files.settle(folder, _end_offset_of)
    bases = sorted(int(path.stem) for path in folder.glob("*.log") if path.stem.isdigit())
    if not bases:
        if recovery_point > log_start_offset:
            raise CorruptLogError(folder, 0, f"no segment is there, but offsets up to {recovery_point} were synced")
        segments = [Segment.create(folder, log_start_offset, index_interval=index_interval)]
        return Recovered(segments=segments, log_end_offset=log_start_offset, producers=ProducerStates(), cut_bytes=0)
    segments = [Segment(folder, base, index_interval=index_interval, create=False) for base in bases]
    try:
        end_offset, cut_bytes = _check_segments(segments, recovery_point)
        if end_offset < log_start_offset:
            # Unsynced records went that were deleted already: their offsets must not come again.
            while segments:
                segments.pop().delete()
            segments.append(Segment.create(folder, log_start_offset, index_interval=index_interval))
            end_offset = log_start_offset
        producers = _recover_producers(folder, segments, end_offset, synced_end=min(end_offset, recovery_point))
    except BaseException:
        for segment in segments:
            segment.close()
        raise
    return Recovered(segments=segments, log_end_offset=end_offset, producers=producers, cut_bytes=cut_bytes)


def _check_segments(segments: list[Segment], recovery_point: int) -> tuple[int, int]:
    """(log end offset, bytes cut off). Removes from `segments` what lay behind a cut."""
    end_offset = segments[0].base_offset
    for number, segment in enumerate(segments):
        following = segments[number + 1 :]
        if following and following[0].base_offset <= recovery_point:
            _check_synced_end(segment)
            continue
        end_offset, torn_bytes = _check_tail(segment, recovery_point)
        # A power loss may have emptied a segment, or ended it where a batch ends, and have left what is behind it.
        if torn_bytes or (following and end_offset < following[0].base_offset):
            cut_bytes = torn_bytes + sum(later.size for later in following)
            for later in following:
                segments.remove(later)
                later.delete()
            return end_offset, cut_bytes
    return end_offset, 0


def _end_offset_of(log_file: Path) -> int:
    """The offset behind the last batch of a compacted segment that is about to take its place."""
    segment = Segment(
        log_file.parent,
        int(log_file.name.partition(".")[0]),
        index_interval=0,
        create=False,
        suffix=segment_files.SWAP,
    )
    try:
        end_offset = segment.base_offset
        for _, header in segment.walk(segment.last_indexed_position()):
            end_offset = header.last_offset + 1
        return end_offset
    finally:
        segment.close()


def _check_synced_end(segment: Segment) -> None:
    """See that a segment below the recovery point ends where a batch ends; its records are for readers to check."""
    for _ in segment.walk(segment.last_indexed_position()):
        pass


def _check_tail(segment: Segment, recovery_point: int) -> tuple[int, int]:
    """(offset behind the last sound batch, bytes cut off), the indexes brought up to there.

    Compaction leaves every segment the batch at its end, be it empty.
    """
    start = 0
    if segment.load_indexes():
        start = segment.offset_index.floor(recovery_point - 1)
        segment.rewind_indexes(start)
    end_offset, position = segment.base_offset, start
    try:
        for position, header, _ in segment.scan(start):
            if header.base_offset < end_offset:
                raise CorruptLogError(segment.path, position, f"offset {header.base_offset} comes after {end_offset}")
            end_offset = header.last_offset + 1
            segment.note(position, header.size, header.last_offset, header.max_timestamp)
    except CorruptLogError as torn:
        if end_offset < recovery_point:
            raise CorruptLogError(
                segment.path, torn.position, f"{torn.reason}, and offsets up to {recovery_point} were synced"
            ) from torn
        torn_bytes = segment.size - torn.position
        segment.truncate(torn.position, end_offset)
        return end_offset, torn_bytes
    if end_offset < recovery_point:
        raise CorruptLogError(
            segment.path,
            segment.size,
            f"the log ends at offset {end_offset}, and offsets up to {recovery_point} were synced",
        )
    return end_offset, 0


def _recover_producers(folder: Path, segments: list[Segment], end_offset: int, *, synced_end: int) -> ProducerStates:
    """The newest snapshot of what was synced, and what was appended since; the transaction indexes likewise."""
    if all(segment.transaction_index.load() for segment in segments):
        start, producers = load_snapshot(folder, at_most=synced_end)
        if start == end_offset:
            return producers
    else:
        start, producers = 0, ProducerStates()
    for number, segment in enumerate(segments):
        if number + 1 == len(segments) or segments[number + 1].base_offset > start:
            _replay(segment, start, producers)
    return producers


def _replay(segment: Segment, start: int, producers: ProducerStates) -> None:
    """Let `producers` and the segment's transaction index know of the batches from offset `start` on."""
    known = list(segment.transaction_index)
    aborted = [entry for entry in known if entry.last_offset < start]
    span = segment.locate(start)
    for position, header in segment.walk(span.position if span else segment.size):
        if header.producer_id < 0:
            continue
        if not header.is_control:
            producers.appended(
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
                header.base_offset,
                header.last_offset,
                header.max_timestamp,
                transactional=header.is_transactional,
            )
        elif header.record_count:
            marker = _read_marker(segment, position, header)
            transaction = producers.ended(
                header.producer_id,
                header.producer_epoch,
                marker,
                offset=header.base_offset,
                timestamp=header.max_timestamp,
                high_watermark=header.base_offset + 1,
            )
            if transaction is not None:
                aborted.append(transaction)
    if aborted != known or not segment.transaction_index.is_sound:
        segment.transaction_index.replace(aborted)


def _read_marker(segment: Segment, position: int, header: BatchHeader) -> EndMarker:
    try:
        (record,) = read_records(header, segment.read(position, header.size))
        return read_end_marker(record)
    except (ProtocolError, ValueError) as e:
        raise CorruptLogError(segment.path, position, f"no end of a transaction is in the control batch: {e}") from e
