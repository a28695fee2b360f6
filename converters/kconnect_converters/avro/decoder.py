"""Avro's binary form to Connect values, by Python compiled for each schema."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any, Final, TypeAlias

from kconnect import logical
from kconnect.errors import DataError
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from kconnect_converters.avro.anything_codec import block_count, read_anything
from kconnect_converters.avro.names import is_union
from kconnect_converters.avro.schema import AvroSchema
from kconnect_converters.generated import GeneratedSource
from kconnect_converters.varint import rest_of_varint

Decode: TypeAlias = Callable[[bytes, int], Any]
_FAULTS: Final = (IndexError, struct.error, TypeError, ValueError, OverflowError, RecursionError, DataError)


def compile_decoder(avro: AvroSchema, schema: Schema | None) -> Decode:
    """What reads the value that begins at a place of the data, as the Connect schema that was made from `avro` says.

    It raises DataError for data that was not written with `avro`; bytes after the value are let be, as in Java."""
    try:
        return _DecoderCompiler().compile(avro, schema)
    except RecursionError:
        raise DataError(f"{avro!r} is nested too deeply") from None


def _unreadable(avro: AvroSchema, data: bytes, error: Exception) -> DataError:
    ends = isinstance(error, IndexError | struct.error)
    reason = "it ends too early" if ends else "it is nested too deeply" if isinstance(error, RecursionError) else error
    return DataError(f"{len(data)} bytes are no Avro of {avro.name or avro.type}: {reason}")


def malformed(what: str, found: Any) -> Any:
    raise DataError(f"{what} {found}")


_NAMES: Final = {
    "rest": rest_of_varint,
    "malformed": malformed,
    "block_count": block_count,
    "read_anything": read_anything,
    "unpack_double": struct.Struct("<d").unpack_from,
    "unpack_float": struct.Struct("<f").unpack_from,
    "date_of": logical.date_of,
    "time_of": logical.time_of,
    "timestamp_of": logical.timestamp_of,
    "from_bytes": int.from_bytes,
    "times": Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN).multiply,  # exact, whatever the thread's context is
    "EPOCH": logical.EPOCH,
    "MILLISECOND": timedelta(milliseconds=1),
    "FAULTS": _FAULTS,
    "unreadable": _unreadable,
}
_LOGICAL: Final = {DATE_NAME: "date_of", TIME_NAME: "time_of", TIMESTAMP_NAME: "timestamp_of"}
_INTEGERS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32}


class _DecoderCompiler:
    """Writes one function (d, p) → (value, place after it) for each record, array, map and union of several.

    `d` is the data and `p` the place in it; a method leaves the value in a local, whose name it returns."""

    def __init__(self) -> None:
        self._source = GeneratedSource(_NAMES)
        self._functions: dict[tuple[int, Schema], str] = {}

    def compile(self, avro: AvroSchema, schema: Schema | None) -> Decode:
        source = self._source
        outer = source.begin("def decode(d, p):")
        source.line("try:")
        source.indent += 1
        if schema is not None and avro.type == "record":
            value = self._struct(avro, schema)
        else:
            value = self._value(avro, schema)
        source.line(f"value = {value}")
        source.indent -= 1
        source.line(f"except FAULTS as error: raise unreadable({source.constant(avro)}, d, error) from None")
        source.line(f"if p > len(d): raise unreadable({source.constant(avro)}, d, IndexError())")
        source.line("return value")
        source.end(outer)
        decode: Decode = source.compile("decode", "<avro decoder>")
        return decode

    def _value(self, avro: AvroSchema, schema: Schema | None) -> str:
        v = self._source.name("v")
        if schema is None:
            self._source.line(f"{v}, p = read_anything(d, p)")
        elif avro.nullable is not None:
            self._nullable(avro, avro.nullable, schema, v)
        else:
            self._required(avro, schema, v)
        return v

    def _nullable(self, avro: AvroSchema, held: AvroSchema, schema: Schema, v: str) -> None:
        source = self._source
        null = 0 if avro.branches[0].type == "null" else 2
        source.line("b = d[p]; p += 1")
        source.line(f"if b == {null}: {v} = None")
        source.line(f"elif b == {2 - null}:")
        source.indent += 1
        self._required(held, schema, v)
        source.indent -= 1
        source.line("else: malformed('a union of two has no branch', b)")

    def _required(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        if avro.type == "union" and not is_union(schema):  # of one branch, flattened
            self._integer("b")
            self._source.line("if b: malformed('a union of one has no branch', b)")
            self._source.line(f"{v} = {self._value(avro.branches[0], schema)}")
            return
        _READERS[avro.type](self, avro, schema, v)

    def _integer(self, v: str, bits: int = 64) -> None:
        """A number, out of its zigzag. One byte fits into everything."""
        source = self._source
        source.line(f"{v} = d[p]; p += 1")
        source.line(f"if {v} > 127:")
        source.indent += 1
        source.line(f"{v}, p = rest(d, p, {v})")
        if bits < 64:
            source.line(f"if {v} > {(1 << bits) - 1}: malformed('a number beyond {bits} bits at byte', p)")
        source.indent -= 1
        source.line(f"{v} = ({v} >> 1) ^ -({v} & 1)")

    def _size(self) -> None:
        """The length of what follows, as its end `e`."""
        self._source.line("n = d[p]; p += 1")
        self._source.line("if n > 127: n, p = rest(d, p, n)")
        self._source.line("if n & 1: malformed('a negative length at byte', p)")
        self._source.line("e = p + (n >> 1)")

    def _read_integer(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._integer(v, _INTEGERS.get(schema.type, 64))
        convert = _LOGICAL.get(schema.name or "")
        if convert == "timestamp_of":
            self._source.line(f"try: {v} = EPOCH + {v} * MILLISECOND")
            self._source.line(f"except OverflowError: {v} = timestamp_of({v})")
        elif convert:
            self._source.line(f"{v} = {convert}({v})")

    def _read_boolean(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._source.line(f"{v} = d[p] == 1; p += 1")

    def _read_floating(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        size = 8 if avro.type == "double" else 4
        self._source.line(f"{v} = unpack_{avro.type}(d, p)[0]; p += {size}")

    def _read_string(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._size()
        self._source.line(f"{v} = d[p:e].decode(); p = e")

    def _read_bytes(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        if avro.type == "fixed":
            self._source.line(f"e = p + {avro.size}")
        else:
            self._size()
        self._source.line("if e > len(d): malformed('bytes that end too early: at byte', p)")
        if schema.name == DECIMAL_NAME:
            unit = self._source.constant(Decimal((0, (1,), -logical.decimal_scale(schema))))
            self._source.line("if p == e: malformed('a decimal without bytes at', p)")
            self._source.line(f"{v} = times(from_bytes(d[p:e], 'big', signed=True), {unit}); p = e")
        else:
            self._source.line(f"{v} = d[p:e]; p = e")

    def _read_enum(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._integer(v)
        symbols = self._source.constant(avro.symbols)
        self._source.line(f"if not 0 <= {v} < {len(avro.symbols)}: malformed('{avro.name} has no symbol', {v})")
        self._source.line(f"{v} = {symbols}[{v}]")

    def _call(self, avro: AvroSchema, schema: Schema, v: str, lines: Callable[[AvroSchema, Schema], None]) -> None:
        name = self._functions.get((id(avro), schema))
        if name is None:
            name = self._functions[id(avro), schema] = self._source.name("decode")
            outer = self._source.begin(f"def {name}(d, p):")
            lines(avro, schema)
            self._source.end(outer)
        self._source.line(f"{v}, p = {name}(d, p)")

    def _read_array(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._call(avro, schema, v, self._entries if schema.type is Type.MAP else self._items)

    def _items(self, avro: AvroSchema, schema: Schema) -> None:
        self._blocks("[]", lambda: f"out.append({self._value(avro.held(), schema.value_schema)})")

    def _read_map(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._call(avro, schema, v, self._pairs)

    def _pairs(self, avro: AvroSchema, schema: Schema) -> None:
        def pair() -> str:
            self._read_string(avro, schema, "key")
            return f"out[key] = {self._value(avro.held(), schema.value_schema)}"

        self._blocks("{}", pair)

    def _entries(self, avro: AvroSchema, schema: Schema) -> None:
        def entry() -> str:
            found = {
                field.name: self._value(field.schema, schema.key_schema if field.name == "key" else schema.value_schema)
                for field in avro.held().fields
            }
            return f"out[{found['key']}] = {found['value']}"

        self._blocks("{}", entry)

    def _blocks(self, empty: str, add: Callable[[], str]) -> None:
        source = self._source
        source.line(f"out = {empty}")
        source.line("count, p = block_count(d, p)")
        source.line("while count:")
        source.indent += 1
        source.line("for _ in range(count):")
        source.indent += 1
        source.line(add())
        source.indent -= 1
        source.line("count, p = block_count(d, p)")
        source.indent -= 1
        source.line("return out, p")

    def _read_record(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._call(avro, schema, v, self._fields)

    def _fields(self, avro: AvroSchema, schema: Schema) -> None:
        self._source.line(f"return {self._struct(avro, schema)}, p")

    def _struct(self, avro: AvroSchema, schema: Schema) -> str:
        """An expression for the dict."""
        pairs = zip(avro.fields, schema.fields, strict=True)
        values = [f"{field.name!r}: {self._value(each.schema, field.schema)}" for each, field in pairs]
        return f"{{{', '.join(values)}}}"

    def _read_union(self, avro: AvroSchema, schema: Schema, v: str) -> None:
        self._call(avro, schema, v, self._branches)

    def _branches(self, avro: AvroSchema, schema: Schema) -> None:
        source = self._source
        self._integer("b")
        fields = iter(schema.fields)
        for index, branch in enumerate(avro.branches):
            source.line(f"if b == {index}:")
            source.indent += 1
            if branch.type == "null":
                source.line("return None, p")
            else:
                chosen = next(fields)
                value = self._value(branch, chosen.schema)
                entries = [f"{f.name!r}: {value if f is chosen else None}" for f in schema.fields]
                source.line(f"return {{{', '.join(entries)}}}, p")
            source.indent -= 1
        source.line("malformed('a union has no branch', b)")


_READERS: Final[dict[str, Callable[[_DecoderCompiler, AvroSchema, Schema, str], None]]] = {
    "int": _DecoderCompiler._read_integer,
    "long": _DecoderCompiler._read_integer,
    "boolean": _DecoderCompiler._read_boolean,
    "float": _DecoderCompiler._read_floating,
    "double": _DecoderCompiler._read_floating,
    "string": _DecoderCompiler._read_string,
    "bytes": _DecoderCompiler._read_bytes,
    "fixed": _DecoderCompiler._read_bytes,
    "enum": _DecoderCompiler._read_enum,
    "array": _DecoderCompiler._read_array,
    "map": _DecoderCompiler._read_map,
    "record": _DecoderCompiler._read_record,
    "union": _DecoderCompiler._read_union,
}
