"""Python: changes records by a function of an installed module, or by an expression."""

from __future__ import annotations

import ast
import datetime
import decimal
import importlib
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kconnect.bounds import allow_expression, allow_module
from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.errors import ConnectError, DataError
from kconnect.record import SchemaAndValue, SinkRecord, SourceRecord
from kconnect.schema import Schema, Type, validate_value
from kconnect.transform import R, Transform
from kconnect.values import infer_schema
from kconnect_transforms.structs import struct_like

AnyRecord: TypeAlias = SourceRecord | SinkRecord

_NAMES: Final = ("record", "topic", "partition", "key", "value", "headers", "timestamp")
_MODULES: Final = {"datetime": datetime, "decimal": decimal, "json": json, "math": math, "re": re}


def _valid_function(name: str, value: str | None) -> None:
    if value is not None:
        _imported(name, value)


def _valid_expression(name: str, value: str | None) -> None:
    if value is not None:
        _compiled(name, value)


class PythonConfig(Config):
    function: str | None = key(
        default=None,
        importance=HIGH,
        validator=_valid_function,
        doc="module:function. It is called with the record, or with its key or value where that is the target, and "
        "must not change what it is given.",
    )
    expression: str | None = key(
        default=None,
        importance=HIGH,
        validator=_valid_expression,
        doc="A Python expression, instead of a function. It can name record, topic, partition, key, value, headers (a "
        f"dict, the last of each key) and timestamp, and the modules {', '.join(_MODULES)}.",
    )
    target: Literal["value", "key", "topic", "timestamp", "keep", "record"] = key(
        default="value",
        importance=HIGH,
        doc="What the result is: the new value, key, topic or timestamp (milliseconds since 1970); with keep, whether "
        "the record goes on; with record, which takes a function, the new record, or None to drop it.",
    )

    def _check(self) -> None:
        if (self.function is None) == (self.expression is None):
            raise ConfigError("takes either a function or an expression", suggestion="set function or expression")
        if self.expression is not None and self.target == "record":
            raise ConfigError("an expression cannot make a whole record", key="target", suggestion="set function")


def _call_of(config: PythonConfig) -> Callable[[AnyRecord], Any]:
    """What makes the result of a record."""
    if config.expression is not None:
        return _compiled("expression", config.expression)
    function = _imported("function", config.function or "")
    side = config.target
    return (lambda record: function(getattr(record, side))) if side in ("key", "value") else function


def _imported(key: str, name: str) -> Callable[[Any], Any]:
    """The function. ConfigError naming `key` where the worker does not allow it, or there is none."""
    module_name, colon, path = name.partition(":")
    if not (colon and module_name and path):
        raise ConfigError("names no function", key=key, value=name, suggestion="write module:function")
    allow_module(key, module_name)
    try:
        found: Any = importlib.import_module(module_name)
        for step in path.split("."):
            found = getattr(found, step)
    except Exception as error:  # the module is a stranger's code
        raise ConfigError(
            f"cannot be imported: {type(error).__name__}: {error}",
            key=key,
            value=name,
            suggestion="the module must be installed in the environment that the connector runs in",
        ) from error
    if not callable(found):
        raise ConfigError(f"is {type(found).__name__}, and no function", key=key, value=name)
    allow_module(key, getattr(found, "__module__", None) or module_name)  # what a module imports is not its own
    function: Callable[[Any], Any] = found
    return function


def _compiled(key: str, text: str) -> Callable[[AnyRecord], Any]:
    """The expression as a function. ConfigError naming `key` where the worker does not allow it, or it is none."""
    allow_expression(key, text)
    try:
        body = ast.parse(text.strip(), mode="eval").body
        names = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
        arguments = ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in _NAMES], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        function = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        evaluate = eval(compile(function, "<expression>", "eval"), dict(_MODULES))  # noqa: S307 - the worker allows it
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ConfigError(f"is no Python expression: {error}", key=key, value=text) from error
    takes_headers = "headers" in names

    def call(record: AnyRecord) -> Any:
        headers = {header.key: header.value for header in record.headers} if takes_headers else {}
        return evaluate(record, record.topic, record.partition, record.key, record.value, headers, record.timestamp)

    return call


class Python(Transform[PythonConfig]):
    """Off unless the worker's `python.transform.allow` has it. A new key or value of a struct keeps the schemas of its
    fields, and fields that are new get one that fits; for another schema, return a SchemaAndValue."""

    def configure(self, config: PythonConfig) -> None:
        self._call = _call_of(config)
        self._target = config.target
        self._what = f"function={config.function}" if config.function is not None else f"expression={config.expression}"

    def apply(self, record: R) -> R | None:
        try:
            result = self._call(record)
        except ConnectError:
            raise
        except Exception as error:  # a stranger's code
            raise DataError(f"{self._what} raised {type(error).__name__}: {error}") from error
        if self._target == "keep":
            return record if result else None
        if self._target == "record":
            if result is not None and not isinstance(result, type(record)):
                raise self._wrong(result, f"{type(record).__name__} or None")
            return result
        if self._target == "value":
            schema, value = self._data(record.value_schema, record.value, result)
            return msgspec.structs.replace(record, value_schema=schema, value=value)
        if self._target == "key":
            schema, value = self._data(record.key_schema, record.key, result)
            return msgspec.structs.replace(record, key_schema=schema, key=value)
        if self._target == "topic":
            if not isinstance(result, str) or not result:
                raise self._wrong(result, "a topic")
            return msgspec.structs.replace(record, topic=result)
        if not (result is None or (isinstance(result, int) and not isinstance(result, bool))):
            raise self._wrong(result, "milliseconds since 1970")
        return msgspec.structs.replace(record, timestamp=result)

    def _data(self, schema: Schema | None, given: Any, result: Any) -> SchemaAndValue:
        if isinstance(result, SchemaAndValue):
            schema, value = result
        else:
            value = result
            if schema is not None and schema.type is Type.STRUCT and isinstance(value, dict):
                schema = self._adapted(schema, given or {}, value)
        if schema is not None:
            try:
                validate_value(schema, value)
            except DataError as error:
                raise DataError(
                    f"{self._what}: {error}: what does not fit the schema needs one of its own (a SchemaAndValue)"
                ) from None
        return SchemaAndValue(schema, value)

    def _adapted(self, schema: Schema, given: dict[str, Any], value: dict[str, Any]) -> Schema:
        """The schema of a struct that has lost fields, or has others than `schema` says. A field that was absent before
        is null, and not lost."""
        new = [name for name in value if schema.field(name) is None]
        lost = [name for name in given if name not in value]
        if not new and not lost:
            return schema
        fields = {field.name: field.schema for field in schema.fields if field.name not in lost}
        for name in new:
            inferred = infer_schema(value[name])
            if inferred is None:
                raise DataError(f"{self._what}: nothing says what the new field {name!r} is: {value[name]!r:.60}")
            fields[name] = inferred.replace(optional=True)
        return struct_like(schema, fields).replace(optional=schema.optional)

    def _wrong(self, result: Any, wanted: str) -> DataError:
        return DataError(
            f"{self._what} made {type(result).__name__} {result!r:.60}, and target={self._target} is {wanted}"
        )
