"""Protobuf messages to Connect values, by Python compiled for each message.

Google's library parses the bytes; what is compiled here takes the message apart."""

from __future__ import annotations

from keyword import iskeyword
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from kconnect.errors import DataError
from kconnect.schema import Schema, Type
from kconnect_converters.generated import GeneratedSource
from kconnect_converters.protobuf import names
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.files import message_class
from kconnect_converters.protobuf.from_protobuf import MessageShape, message_of, union_field
from kconnect_converters.protobuf.logical import READ
from kconnect_converters.schema_registry.converter import Decode

_FAULTS: Final = (DecodeError, TypeError, ValueError, OverflowError, ArithmeticError, DataError)
_UNSIGNED: Final = (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64)
_BITS: Final = {Type.INT8: 8, Type.INT16: 16}


def compile_decoder(descriptor: Descriptor, schema: Schema, config: ProtobufDataConfig) -> Decode:
    """What reads the message that begins at a place of the data, as the Connect schema that was made from `descriptor`
    says. It raises DataError for data that is no such message."""
    return _DecoderCompiler(config).compile(descriptor, schema)


def _unreadable(name: str, data: bytes, error: Exception) -> DataError:
    return DataError(f"{len(data)} bytes are no Protobuf message {name}: {error}")


class _Symbols(dict[int, str]):
    """The symbols of an enum by their numbers; what it does not have is named as Java names it."""

    def __init__(self, name: str, symbols: dict[int, str]) -> None:
        super().__init__(symbols)
        self._name = name

    def __missing__(self, number: int) -> str:
        return f"UNKNOWN_ENUM_VALUE_{self._name}_{number}"


_NAMES: Final = {"FAULTS": _FAULTS, "unreadable": _unreadable}


class _DecoderCompiler:
    """Writes one function (m) → value for each message; methods return expressions."""

    def __init__(self, config: ProtobufDataConfig) -> None:
        self._config = config
        self._source = GeneratedSource(_NAMES)
        self._functions: dict[tuple[str, Schema], str] = {}

    def compile(self, descriptor: Descriptor, schema: Schema) -> Decode:
        source = self._source
        name = source.constant(descriptor.full_name)
        parse = source.constant(message_class(descriptor).FromString)
        outer = source.begin("def decode(d, p):")
        source.line("try:")
        source.indent += 1
        if schema.type is Type.STRUCT:
            source.line(f"return {self._message(descriptor, schema)}({parse}(memoryview(d)[p:]))")
        else:
            held = descriptor.fields[0]
            source.line(f"return {self._scalar(held, schema, f'{parse}(memoryview(d)[p:]).value')}")
        source.indent -= 1
        source.line(f"except FAULTS as error: raise unreadable({name}, d, error) from None")
        source.end(outer)
        decode: Decode = source.compile("decode", "<protobuf decoder>")
        return decode

    def _message(self, descriptor: Descriptor, schema: Schema) -> str:
        """The function that reads a message into a struct."""
        key = descriptor.full_name, schema
        name = self._functions.get(key)
        if name is None:
            name = self._functions[key] = self._source.name("read")
            outer = self._source.begin(f"def {name}(m):")
            self._source.line("has = m.HasField")
            pairs = ", ".join(f"{field}: {value}" for field, value in self._fields(descriptor, schema))
            self._source.line(f"return {{{pairs}}}")
            self._source.end(outer)
        return name

    def _fields(self, descriptor: Descriptor, schema: Schema) -> list[tuple[str, str]]:
        shape = MessageShape(descriptor)
        found = []
        for oneof in shape.oneofs:
            if self._config.flatten_unions:
                for member in oneof.fields:
                    value = self._present(member, _schema_of(schema, member.name))
                    found.append((repr(member.name), value))
                continue
            name = union_field(oneof, self._config)
            union = _schema_of(schema, name)
            members = [(each.name, self._once(each, _schema_of(union, each.name))) for each in oneof.fields]
            found.append((repr(name), f"{self._union(oneof.name, members)}(m)"))
        for field in shape.plain:
            held = _schema_of(schema, field.name)
            if field.is_repeated:
                value = self._repeated(field, held)
            elif message_of(field) is not None:
                value = (
                    self._once(field, held) if self._config.generate_struct_for_nulls else self._present(field, held)
                )
            elif shape.may_be_unset(field, self._config):
                always = self._config.generate_struct_for_nulls
                value = self._once(field, held) if always else self._present(field, held)
            else:
                value = self._once(field, held)
            found.append((repr(field.name), value))
        return found

    def _union(self, oneof: str, members: list[tuple[str, str]]) -> str:
        name, source = self._source.name("union"), self._source
        outer = source.begin(f"def {name}(m):")
        source.line(f"w = m.WhichOneof({oneof!r})")
        source.line("if w is None: return None")
        for chosen, value in members:
            entries = ", ".join(f"{each!r}: {value if each == chosen else None}" for each, _ in members)
            source.line(f"if w == {chosen!r}: return {{{entries}}}")
        source.end(outer)
        return name

    def _present(self, field: FieldDescriptor, schema: Schema) -> str:
        return f"{self._once(field, schema)} if has({field.name!r}) else None"

    def _once(self, field: FieldDescriptor, schema: Schema) -> str:
        return self._value(field, schema, _get(field.name))

    def _value(self, field: FieldDescriptor, schema: Schema, x: str) -> str:
        """An expression for the value that the expression `x` has in the message."""
        message = message_of(field)
        if message is None:
            return self._scalar(field, schema, x)
        if schema.name in READ and message.full_name in names.LOGICAL:
            return f"{self._source.constant(READ[schema.name])}({x})"
        if schema.type is Type.STRUCT:
            return f"{self._message(message, schema)}({x})"
        return self._scalar(message.fields[0], schema, f"{x}.value")

    def _scalar(self, field: FieldDescriptor, schema: Schema, x: str) -> str:
        if field.enum_type is not None and schema.type is Type.STRING:
            symbols: dict[int, str] = {}
            for each in field.enum_type.values:
                symbols.setdefault(each.number, each.name)
            return f"{self._source.constant(_Symbols(field.enum_type.name, symbols))}[{x}]"
        if field.type in _UNSIGNED:  # Java's longs have a sign
            return f"(({x} + {1 << 63}) % {1 << 64} - {1 << 63})"
        if schema.type in _BITS:
            bits = _BITS[schema.type]
            return f"(({x} + {1 << bits - 1}) % {1 << bits} - {1 << bits - 1})"
        return x

    def _repeated(self, field: FieldDescriptor, schema: Schema) -> str:
        x, message = _get(field.name), message_of(field)
        if schema.type is not Type.MAP:
            assert schema.value_schema is not None
            value = self._value(field, schema.value_schema, "e")
            return f"list({x})" if value == "e" else f"[{value} for e in {x}]"
        assert message is not None
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        key_field, value_field = message.fields
        if message.GetOptions().map_entry:
            key = self._value(key_field, schema.key_schema, "k")
            return f"{{{key}: {self._value(value_field, schema.value_schema, 'v')} for k, v in {x}.items()}}"
        key = self._value(key_field, schema.key_schema, "e.key")
        return f"{{{key}: {self._value(value_field, schema.value_schema, 'e.value')} for e in {x}}}"


def _get(name: str) -> str:
    """An expression for a field of `m`."""
    return f"getattr(m, {name!r})" if iskeyword(name) else f"m.{name}"


def _schema_of(schema: Schema, name: str) -> Schema:
    field = schema.field(name)
    assert field is not None
    return field.schema
