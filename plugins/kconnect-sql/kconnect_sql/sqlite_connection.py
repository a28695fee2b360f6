"""Connections to SQLite, and what its errors mean."""

from __future__ import annotations

import sqlite3
from typing import NoReturn

from kconnect.errors import ConnectError, RetriableError
from kconnect_sql.login import DatabaseMissingError
from kconnect_sql.reach import database_file
from kconnect_sql.url import DatabaseUrl

BUSY_SECONDS = 5.0


def connect(url: DatabaseUrl, *, create: bool) -> sqlite3.Connection:
    """Open the file; RetriableError while it cannot be opened, ConfigError when the worker does not allow it. `create`:
    make it if it is not there, as long as its folder is; else DatabaseMissingError."""
    mode = "rwc" if create else "rw"
    file = database_file(url)
    if file is not None and not (file.parent if create else file).exists():
        missing = f"the folder {file.parent}" if create else str(file)
        raise DatabaseMissingError(f"the SQLite database {url.database} cannot be opened: {missing} does not exist")
    path = str(file or url.database).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        return sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise RetriableError(f"the SQLite database {url.database} cannot be opened: {error}") from error


def refuse(error: sqlite3.Error, doing: str, url: DatabaseUrl) -> NoReturn:
    """Raise what `error` means: again later when the file is locked or away, no otherwise."""
    retriable = isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "unable to open", "disk I/O", "full")
    )
    message = f"{url.database}: {doing}: {error}"
    raise (RetriableError if retriable else ConnectError)(message) from error
