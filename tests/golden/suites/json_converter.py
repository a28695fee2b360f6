"""JsonConverter: bytes written compare as parsed JSON, fields in order, numbers by value."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

from golden import decode
from golden.case import Case
from golden.decode import Float32
from kconnect_converters.json import JsonConverter


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    converter = JsonConverter()
    given = case.input
    if case.op.startswith("from"):
        schema = decode.schema(given["schema"])
        value = decode.value(schema, given["value"])
    case.stage = "configure"
    converter.configure(case.config, is_key=case.is_key)
    case.stage = "convert"
    if not case.op.startswith("from"):
        data = None if given["$bytes"] is None else base64.b64decode(given["$bytes"])
        read = converter.to_connect_data("topic", data)
        return [read.schema, read.value]
    if case.op == "fromConnectHeader":
        return _parsed(case, converter.from_connect_header("topic", "key", schema, value))
    return _parsed(case, converter.from_connect_data("topic", schema, value))


def expected(case: Case) -> Any:
    if case.op.startswith("from"):
        written = _parsed(case, None if case.output is None else base64.b64decode(case.output["$bytes"]))
        return single_precision(written) if "float32" in json.dumps(case.input) else written
    schema = decode.schema(case.output["schema"])
    return [schema, decode.value(schema, case.output["value"], expected=True)]


def _parsed(case: Case, data: bytes | None) -> Any:
    """Objects as lists of pairs, since order counts; a decimal written as a number keeps its digits."""
    if data is None:
        return None
    exact = (case.config.get("decimal.format") or "").upper() == "NUMERIC"
    return json.loads(data, object_pairs_hook=lambda pairs: ["object", *pairs], parse_float=Decimal if exact else float)


def single_precision(written: Any) -> Any:
    if isinstance(written, list | tuple):
        return [single_precision(item) for item in written]
    return Float32(written) if isinstance(written, float) else written
