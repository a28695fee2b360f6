"""The compactor's process: one job from stdin, its result to stdout; it dies with the broker that started it."""

from __future__ import annotations

import contextlib
import os
import sys

import msgspec

from kconnect.log.errors import LogError
from kconnect.log.parentage import die_with_parent
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.storage.compaction.compactor import compact
from kconnect.log.storage.compaction.job import CompactionJob, CompactionResult

_NICENESS = 10


def main() -> int:
    """Compact; an error is part of the result."""
    die_with_parent(int(sys.argv[1]))
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # the broker's clients go first
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=CompactionJob)
    try:
        result = compact(job)
    except OSError as e:
        result = CompactionResult(error=str(e), may_pass=True)
    except (LogError, ProtocolError, ImportError, OverflowError) as e:
        result = CompactionResult(error=str(e))
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
