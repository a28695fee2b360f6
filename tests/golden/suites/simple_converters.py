"""Converters of primitive types, SimpleHeaderConverter, and the functions of Kafka's class Values."""

from __future__ import annotations

import base64
from typing import Any

from golden import decode
from golden.case import Case
from kconnect import values
from kconnect.schema import (
    DATE_SCHEMA,
    OPTIONAL_BOOLEAN_SCHEMA,
    OPTIONAL_FLOAT32_SCHEMA,
    OPTIONAL_FLOAT64_SCHEMA,
    OPTIONAL_INT8_SCHEMA,
    OPTIONAL_INT16_SCHEMA,
    OPTIONAL_INT32_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters import header, primitives

TARGETS = {
    "convertToBoolean": OPTIONAL_BOOLEAN_SCHEMA,
    "convertToByte": OPTIONAL_INT8_SCHEMA,
    "convertToShort": OPTIONAL_INT16_SCHEMA,
    "convertToInteger": OPTIONAL_INT32_SCHEMA,
    "convertToLong": OPTIONAL_INT64_SCHEMA,
    "convertToFloat": OPTIONAL_FLOAT32_SCHEMA,
    "convertToDouble": OPTIONAL_FLOAT64_SCHEMA,
    "convertToString": OPTIONAL_STRING_SCHEMA,
    "convertToList": Schema(Type.ARRAY),
    "convertToMap": Schema(Type.MAP),
    "convertToStruct": Schema(Type.STRUCT),
    "convertToTime": TIME_SCHEMA,
    "convertToDate": DATE_SCHEMA,
    "convertToTimestamp": TIMESTAMP_SCHEMA,
}


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    return run_values(case) if case.cls == "Values" else run_converter(case)


def expected(case: Case) -> Any:
    output = case.output
    if case.op == "inferSchema":
        return decode.schema(output)
    if case.op.startswith("convertTo"):
        return decode.value(target(case), output, expected=True)
    if case.op.startswith("from"):
        return None if output is None else base64.b64decode(output["$bytes"])
    if output is None:  # Java's null where it means no schema and no value
        return [None, None]
    schema = decode.schema(output["schema"])
    return [schema, decode.value(schema, output["value"], expected=True)]


def target(case: Case) -> Schema:
    return decimal_schema(case.raw["scale"]) if case.op == "convertToDecimal" else TARGETS[case.op]


def run_values(case: Case) -> Any:
    given = case.input
    if case.op == "parseString":
        return list(values.parse_string(given["value"]))
    schema = decode.schema(given.get("schema"))
    value = decode.value(schema, given["value"])
    if case.op == "inferSchema":
        return values.infer_schema(value)
    return values.convert(target(case), schema, value)


def run_converter(case: Case) -> Any:
    given = case.input
    if case.op.startswith("from"):
        schema = decode.schema(given["schema"])
        value = decode.value(schema, given["value"])
    else:
        data = None if given["$bytes"] is None else base64.b64decode(given["$bytes"])
    case.stage = "configure"
    converter: Any = getattr(header if case.cls == "SimpleHeaderConverter" else primitives, case.cls)()
    converter.configure(case.config, is_key=case.is_key)
    case.stage = "convert"
    match case.op:
        case "fromConnectData":
            return converter.from_connect_data("topic", schema, value)
        case "fromConnectHeader":
            return converter.from_connect_header("topic", "key", schema, value)
        case "toConnectData":
            return list(converter.to_connect_data("topic", data))
        case _:
            return list(converter.to_connect_header("topic", "key", data))
