"""Names of tables and columns in SQL text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kconnect.errors import ConnectError

_PLAIN = re.compile(r"[^\W\d][\w$]*")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Writes names as SQL: quoted, or (`sql.quote.identifiers=false`) bare, so that the database folds their case."""

    quoted: bool = True
    begin: str = '"'
    end: str = '"'

    def __call__(self, *names: str | None) -> str:
        """Several names are joined by dots, None is left out. Raises ConnectError for one that cannot stand bare."""
        return ".".join([self._one(name) for name in names if name])

    def list(self, names: list[str]) -> str:
        """Separated by commas."""
        return ", ".join([self._one(name) for name in names])

    def same(self, name: str) -> str:
        """What two names have in common that mean the same column."""
        return name if self.quoted else name.lower()

    def _one(self, name: str) -> str:
        if self.quoted:
            return self.begin + name.replace(self.end, self.end * 2) + self.end
        if not _PLAIN.fullmatch(name):
            raise ConnectError(f"the name {name!r} must be quoted: set sql.quote.identifiers=true")
        return name
