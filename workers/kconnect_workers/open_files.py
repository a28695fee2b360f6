"""How many files the worker and what it starts may have open."""

from __future__ import annotations

import contextlib
import resource

_ENOUGH = 1 << 20


def allow_many_files() -> None:
    """Raise the soft limit as far as the user may: each task takes several descriptors of its worker, and the usual
    limit is there for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
