"""Schemas, builders and logical types. Struct cases run on the dict that a struct is in kconnect."""

from __future__ import annotations

from typing import Any

from golden import decode
from golden.case import Case, LeftOutError
from kconnect import logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type, validate_value
from kconnect.schema_builder import SchemaBuilder

LOGICAL_NAMES = {"Date": DATE_NAME, "Time": TIME_NAME, "Timestamp": TIMESTAMP_NAME, "Decimal": DECIMAL_NAME}
READS = frozenset({"getfields", "keySchema", "valueSchema"})


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    given = case.input
    match case.op:
        case "validateValue":
            of = decode.schema(given["schema"])
            if of is None:
                raise LeftOutError("a schema is never None here: mypy says so")
            validate_value(of, decode.value(of, given["value"]), given.get("name"))
            return "ok"
        case "equals":
            return decode.schema(given["a"]) == decode.schema(given["b"])
        case "builder":
            return build(given["steps"])
        case "struct":
            return struct(decode.required_schema(given["schema"]), given["steps"])
        case "logical":
            return convert(case.cls, given["fn"], decode.required_schema(given["schema"]), given["value"])
    raise LeftOutError("not a part of the data model")


def expected(case: Case) -> Any:
    match case.op:
        case "builder":
            return decode.schema(case.output)
        case "struct":
            return struct_results(decode.required_schema(case.input["schema"]), case.input["steps"], case.output)
        case "logical":
            return decode.value(None, case.output)
    return case.output


def build(steps: list[list[Any]]) -> Schema:
    builder = _start(*steps[0])
    for step, *args in steps[1:]:
        if step in READS:
            raise LeftOutError("a builder is written, the schema is read")
        match step:
            case "default":
                builder.default(decode.value(builder.build(), args[0]))
            case "field":
                builder.field(args[0], decode.schema(args[1]))  # type: ignore[arg-type] # None is the case
            case _:
                getattr(builder, step)(*args)
    return builder.build()


def _start(step: str, *args: Any) -> SchemaBuilder:
    match step:
        case "type":
            return SchemaBuilder(Type(args[0]))
        case "array":
            return SchemaBuilder.array(decode.schema(args[0]))  # type: ignore[arg-type]
        case "map":
            return SchemaBuilder.map(decode.schema(args[0]), decode.schema(args[1]))  # type: ignore[arg-type]
        case "decimal":
            return SchemaBuilder(Type.BYTES).name(DECIMAL_NAME).version(1).parameter("scale", str(args[0]))
        case "timestamp":
            return SchemaBuilder(Type.INT64).name(TIMESTAMP_NAME).version(1)
        case "date" | "time":
            return SchemaBuilder(Type.INT32).name(LOGICAL_NAMES[step.title()]).version(1)
    raise LeftOutError(f"a builder of kind {step}")


def struct(of: Schema, steps: list[list[Any]]) -> list[Any]:
    """put, get and validate as they are for a dict beside its schema."""
    content: dict[str, Any] = {}
    results: list[Any] = []
    for step, *args in steps:
        if step == "validate":
            validate_value(of, content)
            results.append("valid")
            continue
        field = of.field(args[0]) if args else None
        if step not in ("put", "get", "getWithoutDefault"):
            raise LeftOutError("Struct's typed getters, equals and toString")
        if field is None:
            raise DataError(f"{of!r} has no field {args[0]}")
        if step == "put":
            content[field.name] = decode.value(field.schema, args[1])
            validate_value(Schema(Type.STRUCT, fields={field.name: field.schema}), {field.name: content[field.name]})
        else:
            results.append(field.get(content) if step == "get" else content.get(field.name))
    return results


def struct_results(of: Schema, steps: list[list[Any]], output: list[Any]) -> list[Any]:
    results: list[Any] = []
    read = [step for step in steps if step[0] != "put"]
    for step, encoded in zip(read, output, strict=True):
        field = of.field(step[1]) if len(step) > 1 else None
        results.append(decode.value(field.schema if field else None, encoded, expected=True))
    return results


def convert(cls: str, function: str, of: Schema, encoded: Any) -> Any:
    if of.name != LOGICAL_NAMES[cls]:
        raise LeftOutError("conversions go by the schema's name")
    if function == "fromLogical":
        return logical.from_logical(of, decode.value(of, encoded))
    return logical.to_logical(of, decode.value(None, encoded))
