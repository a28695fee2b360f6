"""Which of a database's tables a source reads."""

from __future__ import annotations

import re

from kconnect.errors import ConnectError
from kconnect.validators import nearest
from kconnect_sql.config import SqlSourceConfig
from kconnect_sql.table import Table


class TableFilter:
    """Chooses by `schema.pattern`, `table.whitelist` and `table.blacklist`; names may be qualified by a schema."""

    def __init__(self, config: SqlSourceConfig) -> None:
        self._whitelist = config.table_whitelist
        self._blacklist = set(config.table_blacklist)
        self._schema = like(config.schema_pattern) if config.schema_pattern else None

    def choose(self, tables: list[Table]) -> list[Table]:
        """The chosen ones, sorted. Raises ConnectError for a whitelisted name that means two tables."""
        if self._schema is not None:
            tables = [table for table in tables if self._schema.fullmatch(table.schema or "")]
        if self._whitelist:
            chosen = {match for name in self._whitelist if (match := self._named(name, tables)) is not None}
        else:
            chosen = {table for table in tables if not _names(table) & self._blacklist}
        return sorted(chosen, key=str)

    def missing(self, tables: list[Table]) -> list[str]:
        """What `table.whitelist` names, and is not among `tables`."""
        return [name for name in self._whitelist if not any(name in _names(table) for table in tables)]

    def why_none(self, tables: list[Table]) -> str:
        """Why none of `tables` is chosen."""
        if not tables:
            return "the database shows this login no tables of the kinds that table.types names"
        near = [nearest(name, sorted(set().union(*map(_names, tables)))) for name in self.missing(tables)]
        hint = f" ({'; '.join(dict.fromkeys(filter(None, near)))})" if any(near) else ""
        if missing := self.missing(tables):
            return (
                f"table.whitelist names {', '.join(missing)}, not among the {len(tables)} tables of the database{hint}"
            )
        return f"the settings of the connector leave out all {len(tables)} tables of the database"

    def _named(self, name: str, tables: list[Table]) -> Table | None:
        found = [table for table in tables if name in _names(table)]
        if len(found) > 1:
            raise ConnectError(
                f"table.whitelist: {name} could be {' or '.join(sorted(map(str, found)))}; write it with its schema"
            )
        return found[0] if found else None


def _names(table: Table) -> set[str]:
    return {table.name, str(table)}


def like(pattern: str) -> re.Pattern[str]:
    """What a pattern of SQL's LIKE matches."""
    return re.compile("".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern))
