"""Keys of JDBC connectors that are not covered here: refused by name, unless they are set to what happens anyway."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.config import ConfigValue

SOURCE: Mapping[str, tuple[str, ...]] = {
    "catalog.pattern.exclude": (),
    "incrementing.column.mapping": (),
    "max.buffer.size": ("0",),
    "poll.linger.ms": ("0",),
    "query.masked": (),
    "query.retry.attempts": ("-1",),
    "quote.sql.identifiers": ("always",),
    "table.exclude.list": (),
    "table.include.list": (),
    "timestamp.columns.mapping": (),
    "timestamp.granularity": ("connect_logical",),
    "timestamp.initial": (),
    "transaction.isolation.mode": ("default", "read_committed"),
}
SINK: Mapping[str, tuple[str, ...]] = {
    "date.calendar.system": ("proleptic_gregorian",),
    "date.timezone": ("db_timezone", "utc"),
    "db.sql.in.max": (),
    "fields.blacklist": (),
    "max.batch.size": (),
    "mssql.use.merge.holdlock": ("true", "false"),
    "quote.sql.identifiers": ("always",),
    "replace.null.with.default": ("true",),
    "table.types": ("table",),
    "timestamp.fields.list": (),
    "timestamp.precision.mode": ("microseconds",),
    "trim.sensitive.log": ("true", "false"),
}
_INSTEAD = {
    "query.masked": "use query; it is not logged",
    "quote.sql.identifiers": "use sql.quote.identifiers",
    "table.exclude.list": "use table.blacklist",
    "table.include.list": "use table.whitelist",
    "timestamp.initial": "use timestamp.initial.ms",
}


def refusals(keys: Mapping[str, tuple[str, ...]], props: Mapping[str, str]) -> list[ConfigValue]:
    """A value with an error for each key that asks for what is not done."""
    found = []
    for name in keys.keys() & props.keys():
        if props[name].strip().lower() not in ("", *keys[name]):
            advice = _INSTEAD.get(name) or "leave it out"
            found.append(ConfigValue(name, props[name], errors=[f"{name}: is not supported ({advice})"]))
    return sorted(found, key=lambda value: value.name)
