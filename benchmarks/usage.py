"""What a process and all its descendants use, read from the operating system."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

__all__ = ["cpu_seconds", "memory_mib", "tree"]


def tree(pid: int, *, without: Iterable[int] = ()) -> list[psutil.Process]:
    """The process and its descendants now, less the subtrees that start at a pid of `without`."""
    cut = set(without)
    found: list[psutil.Process] = []
    waiting = [psutil.Process(pid)]
    while waiting:
        process = waiting.pop()
        if process.pid in cut:
            continue
        try:
            waiting.extend(process.children())
        except psutil.NoSuchProcess:
            continue
        found.append(process)
    return found


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """User and system time, with that of children which have ended and were waited for."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mib(processes: Iterable[psutil.Process]) -> float:
    """Proportional set size: a page that several processes share counts once in all."""
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
