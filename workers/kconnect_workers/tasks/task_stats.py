"""What a task has done so far, in numbers."""

from __future__ import annotations

import msgspec


class TaskStats(msgspec.Struct, kw_only=True):
    """A task's counters since it started. Names follow Kafka Connect's task metrics where there is one."""

    records_in: int = 0
    """Source: records polled. Sink: records read from topics."""
    records_out: int = 0
    """Source: records acknowledged by the log. Sink: records put."""
    records_filtered: int = 0
    records_skipped: int = 0
    """Bad records that were tolerated."""
    records_pending: int = 0
    """Source: sent and not acknowledged. Sink: put and not committed."""
    lag: int | None = None
    """Sink: records in the assigned partitions that were not read yet, None while unknown."""
    retries: int = 0
    failures: int = 0
    """Errors met, tolerated or not."""
    dead_letters: int = 0
    offset_commits: int = 0
    offset_commit_failures: int = 0
    transactions: int = 0
    """Exactly-once source: transactions committed, and of how many records: all together, the smallest and the largest
    (of transaction-size-avg, -min and -max)."""
    transaction_records: int = 0
    transaction_size_min: int = 0
    transaction_size_max: int = 0
    logs_dropped: int = 0
    last_offsets: list[tuple[str, str]] = []
    """What was committed last: partition and offset as text."""
    group_id: str | None = None
    member_id: str | None = None
    """Sink: its consumer's group and its id in there, for leaving on behalf of a task that was killed."""
