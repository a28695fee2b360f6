"""Even shares: who is given what is new, and who gives up what is above its share."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar


class _Id(Protocol):
    def __lt__(self, other: object, /) -> bool: ...


W = TypeVar("W")
T = TypeVar("T")


def deal(items: Iterable[T], loads: Mapping[W, int]) -> dict[W, list[T]]:
    """Give each item to the worker that has least, and of several to the one that had least before; `loads` is how
    many each has, and their order decides between equals. Workers that are given nothing have an empty list."""
    given: dict[W, list[T]] = {worker: [] for worker in loads}
    workers = sorted(loads, key=loads.__getitem__)
    heap = [(loads[worker], place) for place, worker in enumerate(workers)]  # sorted, and so a heap
    for item in items:
        load, place = heap[0]
        given[workers[place]].append(item)
        heapq.heapreplace(heap, (load + 1, place))
    return given


def surplus(total: int, held: Mapping[W, Sequence[T]]) -> dict[W, list[T]]:
    """What workers must give up so that none has more than its share of `total`, those alone that give up some.

    The first workers, in the order of `held`, keep what does not divide evenly; each gives up the first that it has.
    """
    share, extras = divmod(total, len(held))
    given_up: dict[W, list[T]] = {}
    for worker, items in held.items():
        if len(items) <= share:
            continue
        allowed = share
        if extras > 0:
            extras -= 1
            allowed += 1
        if len(items) > allowed:
            given_up[worker] = list(items[: len(items) - allowed])
    return given_up
