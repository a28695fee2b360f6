"""Connect values to Avro's binary form, by Python compiled for each pair of schemas."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from kconnect import logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type, validate_value
from kconnect_converters.avro import names
from kconnect_converters.avro.anything import is_anything
from kconnect_converters.avro.anything_codec import write_anything
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.defaults import default_bytes
from kconnect_converters.avro.from_avro import is_map_entry
from kconnect_converters.avro.schema import UNSET, AvroField, AvroSchema
from kconnect_converters.fitting import (
    as_bytes,
    as_float,
    as_integer,
    decimal_bytes,
    decimal_unit,
    misfit,
    padded,
    require_no_other,
)
from kconnect_converters.generated import GeneratedSource
from kconnect_converters.varint import SMALL, SMALL_BYTES, long_bytes

Encode: TypeAlias = Callable[[Any], bytes]

_COUNTS: Final[dict[str, tuple[type, Callable[[Any], int]]]] = {
    DATE_NAME: (date, logical.epoch_days),
    TIME_NAME: (time, logical.millis_of_day),
}
_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
_WIDER: Final = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "string": ("string", "enum", "bytes"),
    "enum": ("enum", "string"),
    "fixed": ("fixed", "bytes"),
    "bytes": ("bytes", "fixed"),
}
"""What values of an Avro type may also be written as, the nearest first."""


def compile_encoder(
    schema: Schema | None, avro: AvroSchema, config: AvroDataConfig, *, lossy: bool = False, prefix: bytes = b""
) -> Encode:
    """What writes values of `schema`, after `prefix`, as `avro` says, which may be another schema than its own: fields
    are matched by name, those that only Avro has take their defaults. DataError when the two do not go together, a
    field that only `schema` has among that unless `lossy`.

    What is returned raises DataError, naming the place, for a value that does not fit."""
    try:
        return _EncoderCompiler(config, lossy).compile(schema, avro, prefix)
    except RecursionError:
        raise DataError(f"{schema!r} is nested too deeply for Avro") from None


def _fault(schema: Schema | None, value: Any, error: Exception) -> DataError:
    """What to say of a value that could not be written."""
    if isinstance(error, RecursionError):
        return DataError("value: nested too deeply for Avro")
    if schema is not None:
        try:
            validate_value(schema, value)
        except DataError as misfit:
            return misfit
    return error if isinstance(error, DataError) else DataError(f"value: cannot be written as Avro: {_reason(error)}")


_FAULTS: Final = (
    *(TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError),
    *(struct.error, DataError),
)


def _reason(error: Exception) -> str:
    return f"{error} is none of its symbols" if isinstance(error, KeyError) else str(error)


_NAMES: Final = {
    "S": SMALL_BYTES,
    "long_bytes": long_bytes,
    "write_anything": write_anything,
    "as_integer": as_integer,
    "as_float": as_float,
    "as_bytes": as_bytes,
    "misfit": misfit,
    "require_no_other": require_no_other,
    "padded": padded,
    "join": b"".join,
    "pack_double": struct.Struct("<d").pack,
    "pack_float": struct.Struct("<f").pack,
    "from_logical": logical.from_logical,
    "decimal_bytes": decimal_bytes,
    "Decimal": Decimal,
    "EPOCH": logical.EPOCH,
    "MILLISECOND": timedelta(milliseconds=1),
    "FAULTS": _FAULTS,
    "fault": _fault,
}


class _EncoderCompiler:
    """Writes one function for each record, array, map and union of several; the rest in place.

    A function's argument is `x`; what a method of this class returns is an expression for the bytes."""

    def __init__(self, config: AvroDataConfig, lossy: bool) -> None:
        self._config = config
        self._lossy = lossy
        self._source = GeneratedSource(_NAMES)
        self._functions: dict[tuple[Schema, int], str] = {}

    def compile(self, schema: Schema | None, avro: AvroSchema, prefix: bytes) -> Encode:
        source = self._source
        outer = source.begin("def encode(x):")
        source.line("try:")
        source.indent += 1
        pieces = [repr(prefix)] if prefix else []
        if schema is not None and schema.type is Type.STRUCT and avro.type == "record":
            pieces += self._fields(schema, avro)
        else:
            pieces.append(self._value(schema, avro, "x"))
        source.line(f"return {_joined(pieces)}")
        source.indent -= 1
        source.line(f"except FAULTS as error: raise fault({source.constant(schema)}, x, error) from None")
        source.end(outer)
        encode: Encode = source.compile("encode", "<avro encoder>")
        return encode

    def _value(self, schema: Schema | None, avro: AvroSchema, x: str) -> str:
        if schema is None:
            if not is_anything(avro):
                raise DataError(f"values without a schema cannot be written as {avro!r}")
            return f"write_anything({x})"
        if names.is_union(schema) and avro.type == "union":
            return self._call(schema, avro, self._union, x)
        if avro.type == "union":
            return self._branch(schema, avro, x)
        if not _fits(schema, avro):
            raise _mismatch(schema, avro)
        return _WRITERS[schema.type](self, schema, avro, x)

    def _branch(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        index = branch_for(schema, avro, self._config)
        null = next((i for i, branch in enumerate(avro.branches) if branch.type == "null"), None)
        chosen = long_bytes(index)
        if not schema.optional or null is None:
            return f"{chosen!r} + {self._value(schema, avro.branches[index], x)}"
        piece, source = self._source.name("p"), self._source
        source.line(f"if {x} is None: {piece} = {long_bytes(null)!r}")
        source.line("else:")
        source.indent += 1
        source.line(f"{piece} = {chosen!r} + {self._value(schema, avro.branches[index], x)}")
        source.indent -= 1
        return piece

    def _call(self, schema: Schema, avro: AvroSchema, write: Callable[[Schema, AvroSchema], None], x: str) -> str:
        """A call of the function that `write` gives the lines of, written once."""
        name = self._functions.get((schema, id(avro)))
        if name is None:
            name = self._functions[schema, id(avro)] = self._source.name("encode")
            outer = self._source.begin(f"def {name}(x):")
            write(schema, avro)
            self._source.end(outer)
        return f"{name}({x})"

    def _union(self, schema: Schema, avro: AvroSchema) -> None:
        """The first field that is not null says which branch."""
        source = self._source
        known = source.constant(frozenset(field.name for field in schema.fields))
        null = next((i for i, branch in enumerate(avro.branches) if branch.type == "null"), None)
        if null is not None and schema.optional:
            source.line(f"if x is None: return {long_bytes(null)!r}")
        source.line(f"require_no_other(x, {known})")
        own = [index for index, branch in enumerate(avro.branches) if branch.type != "null"]
        for position, field in enumerate(schema.fields):
            member = field.schema.replace(optional=False, default=None)
            index = branch_for(member, avro, self._config, likely=own[position] if position < len(own) else None)
            source.line(f"y = x.get({field.name!r})")
            source.line("if y is not None:")
            source.indent += 1
            source.line(f"return {long_bytes(index)!r} + {self._value(member, avro.branches[index], 'y')}")
            source.indent -= 1
        source.line(f"return {long_bytes(null)!r}" if null is not None and schema.optional else "misfit(x)")

    def _integer(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        source, bits = self._source, _BITS[schema.type]
        y = source.name("y")
        if schema.name == TIMESTAMP_NAME:
            made = f"({x} - EPOCH) // MILLISECOND if {x}.__class__ is {source.constant(datetime)} else "
            source.line(f"{y} = {made}from_logical({source.constant(schema)}, {x})")
        elif schema.name in _COUNTS:
            kind, convert = _COUNTS[schema.name]
            made = f"{source.constant(convert)}({x}) if {x}.__class__ is {source.constant(kind)} else "
            source.line(f"{y} = {made}from_logical({source.constant(schema)}, {x})")
        else:
            source.line(f"{y} = {x} if {x}.__class__ is int else as_integer({x})")
        if avro.type in ("float", "double"):
            return f"pack_{avro.type}({y})"
        limit = 1 << bits - 1
        least = min(limit, SMALL)
        beyond = f"misfit({y})"
        if bits == 64:
            beyond = f"long_bytes({y})"
        elif least < limit:
            beyond = f"long_bytes({y}) if {-limit} <= {y} < {limit} else {beyond}"
        return f"(S[{y}] if {-least} <= {y} < {least} else {beyond})"

    def _floating(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        return f"pack_{avro.type}({x} if {x}.__class__ is float else as_float({x}))"

    def _boolean(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        return rf"(b'\x01' if {x} is True else b'\x00' if {x} is False else misfit({x}))"

    def _string(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        if avro.type == "enum":
            symbols = {symbol: long_bytes(index) for index, symbol in enumerate(avro.symbols)}
            return f"{self._source.constant(symbols)}[{x}]"
        y = self._source.name("y")
        self._source.line(f"{y} = {x}.encode()")
        return self._sized(y)

    def _bytes(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        source = self._source
        y = source.name("y")
        if schema.name == DECIMAL_NAME:
            scale = logical.decimal_scale(schema)
            made = f"decimal_bytes({x}, {source.constant(decimal_unit(scale))}) if {x}.__class__ is Decimal else "
            source.line(f"{y} = {made}from_logical({source.constant(schema)}, {x})")
        else:
            source.line(f"{y} = {x} if {x}.__class__ is bytes else as_bytes({x})")
        if avro.type == "fixed":
            if schema.name == DECIMAL_NAME:
                return f"padded({y}, {avro.size})"
            return f"({y} if len({y}) == {avro.size} else misfit({y}))"
        return self._sized(y)

    def _sized(self, y: str) -> str:
        size = self._source.name("n")
        self._source.line(f"{size} = len({y})")
        return f"(S[{size}] if {size} < {SMALL} else long_bytes({size})) + {y}"

    def _array(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        return self._call(schema, avro, self._array_lines, x)

    def _array_lines(self, schema: Schema, avro: AvroSchema) -> None:
        self._source.line("if x.__class__ is not list and x.__class__ is not tuple: misfit(x)")
        self._blocks("for each in x:", lambda: self._value(schema.value_schema, avro.held(), "each"))

    def _map(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        if avro.type == "map":
            return self._call(schema, avro, self._map_lines, x)
        return self._call(schema, avro, self._entries_lines, x)

    def _map_lines(self, schema: Schema, avro: AvroSchema) -> None:
        def entry() -> str:
            self._source.line("key = key.encode()")
            key = self._sized("key")
            return f"{key} + {self._value(schema.value_schema, avro.held(), 'each')}"

        self._source.line("if x.__class__ is not dict: misfit(x)")
        self._blocks("for key, each in x.items():", entry)

    def _entries_lines(self, schema: Schema, avro: AvroSchema) -> None:
        key, value = (avro.held().field(name) for name in ("key", "value"))
        if key is None or value is None:
            raise _mismatch(schema, avro)

        def entry() -> str:
            first = self._value(schema.key_schema, key.schema, "key")
            return f"{first} + {self._value(schema.value_schema, value.schema, 'each')}"

        self._source.line("if x.__class__ is not dict: misfit(x)")
        self._blocks("for key, each in x.items():", entry)

    def _blocks(self, loop: str, item: Callable[[], str]) -> None:
        source = self._source
        source.line(r"if not x: return b'\x00'")
        source.line("out = [long_bytes(len(x))]")
        source.line(loop)
        source.indent += 1
        source.line(f"out.append({item()})")
        source.indent -= 1
        source.line(r"out.append(b'\x00')")
        source.line("return join(out)")

    def _struct(self, schema: Schema, avro: AvroSchema, x: str) -> str:
        return self._call(schema, avro, self._record_lines, x)

    def _record_lines(self, schema: Schema, avro: AvroSchema) -> None:
        self._source.line(f"return {_joined(self._fields(schema, avro))}")

    def _fields(self, schema: Schema, avro: AvroSchema) -> list[str]:
        """Expressions for the bytes of each field of the struct `x`."""
        scrub = self._config.scrub_invalid_names
        ours = {names.scrubbed(f.name) if scrub else f.name: f for f in schema.fields}
        missing = [name for name in ours if avro.field(name) is None]
        if missing and not self._lossy:
            raise DataError(
                f"the Avro schema {avro.name} has no field {', '.join(missing)}: add it there, drop it with "
                "ReplaceField, or let it be dropped with latest.compatibility.strict=false"
            )
        source = self._source
        known = source.constant(frozenset(field.name for field in schema.fields))
        source.line(f"if x.__class__ is not dict or len(x) != {len(schema.fields)}: require_no_other(x, {known})")
        source.line("get = x.get")
        pieces = []
        for target in avro.fields:
            field = ours.get(target.name)
            if field is None:
                pieces.append(self._absent(avro, target))
                continue
            y = source.name("f")
            source.line(f"{y} = get({field.name!r})")
            if field.schema.default is not None and not self._config.ignore_default_for_nullables:
                source.line(f"if {y} is None: {y} = {source.constant(field.schema.default)}")
            pieces.append(self._value(field.schema, target.schema, y))
        return pieces

    def _absent(self, avro: AvroSchema, field: AvroField) -> str:
        if field.default is UNSET:
            raise DataError(f"the Avro schema {avro.name} needs field {field.name}, which the records do not have")
        return repr(default_bytes(field.schema, field.default))


def _joined(pieces: list[str]) -> str:
    return pieces[0] if len(pieces) == 1 else f"join(({''.join(f'{piece}, ' for piece in pieces)}))"


_WRITERS: Final[dict[Type, Callable[[_EncoderCompiler, Schema, AvroSchema, str], str]]] = {
    **dict.fromkeys(_BITS, _EncoderCompiler._integer),
    Type.FLOAT32: _EncoderCompiler._floating,
    Type.FLOAT64: _EncoderCompiler._floating,
    Type.BOOLEAN: _EncoderCompiler._boolean,
    Type.STRING: _EncoderCompiler._string,
    Type.BYTES: _EncoderCompiler._bytes,
    Type.ARRAY: _EncoderCompiler._array,
    Type.MAP: _EncoderCompiler._map,
    Type.STRUCT: _EncoderCompiler._struct,
}


def branch_for(schema: Schema, union: AvroSchema, config: AvroDataConfig, *, likely: int | None = None) -> int:
    """The branch of `union` that values of `schema` are written in, `likely` where it fits; DataError if none does."""
    places = [i for i, branch in enumerate(union.branches) if _fits(schema, branch)]
    if likely in places:
        return likely
    if schema.name is not None and len(places) > 1:
        full = names.full_name(schema.name, scrub=config.scrub_invalid_names)
        named = [i for i in places if union.branches[i].name == full]
        places = named or places
    if not places:
        raise _mismatch(schema, union)
    order = _WIDER.get(_avro_type(schema), ())
    return min(places, key=lambda i: order.index(kind) if (kind := union.branches[i].type) in order else 0)


def _fits(schema: Schema, branch: AvroSchema) -> bool:
    if schema.type is Type.MAP:
        return branch.type == "map" or (branch.type == "array" and is_map_entry(branch.held()))
    if schema.type is Type.ARRAY:
        return branch.type == "array" and not is_map_entry(branch.held())
    own = _avro_type(schema)
    return branch.type in _WIDER.get(own, (own,))


def _avro_type(schema: Schema) -> str:
    if names.is_enum(schema):
        return "enum"
    return "fixed" if names.is_fixed(schema) else names.AVRO_TYPES[schema.type]


def _mismatch(schema: Schema, avro: AvroSchema) -> DataError:
    return DataError(f"{schema!r} cannot be written as {avro!r}")
