"""The Avro schemas of change events that mongo-kafka has as its defaults: what is no name or number is JSON text."""

from __future__ import annotations

from typing import Final

KEY_SCHEMA: Final = '{"type": "record", "name": "keySchema", "fields": [{"name": "_id", "type": "string"}]}'
_TEXT: Final = '["string", "null"]'


def _record(name: str, *fields: str) -> str:
    return f'{{"name": "{name}", "type": "record", "fields": [{", ".join(fields)}]}}'


def _field(name: str, kind: str = _TEXT) -> str:
    return f'{{"name": "{name}", "type": {kind}}}'


def _optional(kind: str) -> str:
    return f'[{kind}, "null"]'


_PLACE: Final = (_field("db", '"string"'), _field("coll"))
_TRUNCATED: Final = _record("truncatedArray", _field("field", '"string"'), _field("newSize", '"int"'))
_UPDATE: Final = _record(
    "updateDescription",
    _field("updatedFields"),
    _field("removedFields", _optional('{"type": "array", "items": "string"}')),
    _field("truncatedArrays", _optional(f'{{"type": "array", "items": {_TRUNCATED}}}')),
    _field("disambiguatedPaths"),
)
VALUE_SCHEMA: Final = _record(
    "ChangeStream",
    _field("_id", '"string"'),
    _field("operationType"),
    _field("fullDocumentBeforeChange"),
    _field("fullDocument"),
    _field("ns", _optional(_record("ns", *_PLACE))),
    _field("to", _optional(_record("to", *_PLACE))),
    _field("documentKey"),
    _field("updateDescription", _optional(_UPDATE)),
    _field("clusterTime"),
    _field("wallTime", _optional('"long"')),
    _field("txnNumber", _optional('"long"')),
    _field("lsid", _optional(_record("lsid", _field("id", '"string"'), _field("uid", '"string"')))),
)
