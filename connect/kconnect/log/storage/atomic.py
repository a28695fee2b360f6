"""Files that are either the old or the new one, never half of either."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, content: bytes, *, sync: bool) -> None:
    """Replace `path` by `content`; with `sync` the new content survives a power loss once this returns.

    Raises OSError; the old file is then untouched.
    """
    staged = path.with_name(path.name[:200] + ".tmp")  # names may be as long as the file system allows
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        written = 0
        while written < len(content):
            written += os.write(fd, content[written:])
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    staged.replace(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power loss."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
