"""Connect values to Protobuf messages, by Python compiled for each pair of schema and message.

What is compiled here fills the message in; google's library writes the bytes."""

from __future__ import annotations

from keyword import iskeyword
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import EncodeError

from kconnect.errors import DataError
from kconnect.schema import Schema, Type, validate_value
from kconnect_converters.fitting import as_bytes, as_float, as_integer, misfit, require_no_other
from kconnect_converters.generated import GeneratedSource
from kconnect_converters.protobuf import names
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.files import message_class
from kconnect_converters.protobuf.from_protobuf import is_map, message_of
from kconnect_converters.protobuf.logical import SET
from kconnect_converters.schema_registry.converter import Encode

_INTEGERS: Final = {
    getattr(FieldDescriptor, f"TYPE_{kind}") for kind in ("INT32", "SINT32", "SFIXED32", "UINT32", "FIXED32")
} | {getattr(FieldDescriptor, f"TYPE_{kind}") for kind in ("INT64", "SINT64", "SFIXED64", "UINT64", "FIXED64")}
_UNSIGNED: Final = (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64)
_FLOATS: Final = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}
_FITS: Final = {
    **dict.fromkeys((Type.INT8, Type.INT16), _INTEGERS | _FLOATS),
    Type.INT32: _INTEGERS | {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_ENUM},
    Type.INT64: _INTEGERS,
    Type.FLOAT32: _FLOATS,
    Type.FLOAT64: {FieldDescriptor.TYPE_DOUBLE},
    Type.BOOLEAN: {FieldDescriptor.TYPE_BOOL},
    Type.STRING: {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM},
    Type.BYTES: {FieldDescriptor.TYPE_BYTES},
}
"""What values of a Connect type may be written as; numbers that are too large are refused one by one."""
_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
_FAULTS: Final = (
    *(TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError, EncodeError, DataError),
)


def compile_encoder(
    schema: Schema, descriptor: Descriptor, config: ProtobufDataConfig, prefix: bytes, *, lossy: bool = False
) -> Encode:
    """What writes values of `schema`, after `prefix`, as messages of `descriptor`, which may be another than its own:
    fields are matched by name. DataError when the two do not go together, a field that only `schema` has among that
    unless `lossy`.

    What is returned raises DataError, naming the place, for a value that does not fit."""
    return _EncoderCompiler(config, lossy).compile(schema, descriptor, prefix)


def _fault(schema: Schema, value: object, error: Exception) -> DataError:
    """What to say of a value that could not be written."""
    if isinstance(error, RecursionError):
        return DataError("value: nested too deeply for Protobuf")
    try:
        validate_value(schema, value)
    except DataError as misfit_error:
        return misfit_error
    if isinstance(error, DataError):
        return error
    reason = f"{error} is none of its symbols" if isinstance(error, KeyError) else str(error)
    return DataError(f"value: cannot be written as Protobuf: {reason}")


_NAMES: Final = {
    "as_integer": as_integer,
    "as_float": as_float,
    "as_bytes": as_bytes,
    "misfit": misfit,
    "require_no_other": require_no_other,
    "FAULTS": _FAULTS,
    "fault": _fault,
}


class _EncoderCompiler:
    """Writes one function (x, m) for each message, which sets the fields of `m` to those of the struct `x`."""

    def __init__(self, config: ProtobufDataConfig, lossy: bool) -> None:
        self._config = config
        self._lossy = lossy
        self._source = GeneratedSource(_NAMES)
        self._functions: dict[tuple[Schema, str], str] = {}

    def compile(self, schema: Schema, descriptor: Descriptor, prefix: bytes) -> Encode:
        source = self._source
        new = source.constant(message_class(descriptor))
        outer = source.begin("def encode(x):")
        source.line("try:")
        source.indent += 1
        source.line(f"m = {new}()")
        if schema.type is Type.STRUCT and not names.is_union(schema):
            source.line(f"{self._message(schema, descriptor)}(x, m)")
        elif descriptor.full_name in names.WRAPPERS:
            source.line(f"m.value = {self._scalar(schema, descriptor.fields[0], 'x')}")
        else:
            raise _mismatch(schema, descriptor.full_name)
        source.line(f"return {prefix!r} + m.SerializeToString()")
        source.indent -= 1
        source.line(f"except FAULTS as error: raise fault({source.constant(schema)}, x, error) from None")
        source.end(outer)
        encode: Encode = source.compile("encode", "<protobuf encoder>")
        return encode

    def _message(self, schema: Schema, descriptor: Descriptor) -> str:
        key = schema, descriptor.full_name
        name = self._functions.get(key)
        if name is None:
            name = self._functions[key] = self._source.name("fill")
            outer = self._source.begin(f"def {name}(x, m):")
            self._fields(schema, descriptor)
            self._source.end(outer)
        return name

    def _fields(self, schema: Schema, descriptor: Descriptor) -> None:
        source = self._source
        known = source.constant(frozenset(field.name for field in schema.fields))
        source.line(f"if x.__class__ is not dict or len(x) != {len(schema.fields)}: require_no_other(x, {known})")
        for field in schema.fields:
            y = source.name("y")
            source.line(f"{y} = x.get({field.name!r})")
            default = field.schema.default
            if default is not None and not self._config.ignore_default_for_nullables:
                source.line(f"if {y} is None: {y} = {source.constant(default)}")
            if names.is_union(field.schema):
                self._union(field.schema, descriptor, y)
                continue
            target = self._target(descriptor, field.name)
            if target is None:
                continue
            source.line(f"if {y} is not None:")
            source.indent += 1
            self._set(field.schema, target, y)
            source.indent -= 1
            if not field.schema.optional:
                source.line(f"else: misfit({y})")

    def _target(self, descriptor: Descriptor, name: str) -> FieldDescriptor | None:
        """The message's field for that of a struct; None where it is to be dropped."""
        own = names.scrubbed(name) if self._config.scrub_invalid_names else name
        target: FieldDescriptor | None = descriptor.fields_by_name.get(own)
        if target is None and not self._lossy:
            raise DataError(
                f"the Protobuf message {descriptor.full_name} has no field {own}: add it there, drop it with "
                "ReplaceField, or let it be dropped with latest.compatibility.strict=false"
            )
        return target

    def _union(self, union: Schema, descriptor: Descriptor, y: str) -> None:
        """The first member that is not null is set."""
        source = self._source
        known = source.constant(frozenset(field.name for field in union.fields))
        source.line(f"if {y} is not None:")
        source.indent += 1
        source.line(f"require_no_other({y}, {known})")
        for member in union.fields:
            target = self._target(descriptor, member.name)
            z = source.name("z")
            source.line(f"{z} = {y}.get({member.name!r})")
            source.line(f"if {z} is not None:")
            source.indent += 1
            if target is None:
                source.line("pass")
            else:
                self._set(member.schema, target, z)
            source.indent -= 1
            source.line("else:")
            source.indent += 1
        source.line("misfit('a oneof of which no member has a value')")
        source.indent -= len(union.fields) + 1
        if not union.optional:
            source.line(f"else: misfit({y})")

    def _set(self, schema: Schema, target: FieldDescriptor, y: str) -> None:
        """The lines that set a field of `m` to the value `y`, which is not None."""
        source, at = self._source, _get(target.name)
        if schema.type is Type.ARRAY and target.is_repeated:
            self._set_array(schema, target, y)
        elif schema.type is Type.MAP and is_map(target):
            self._set_map(schema, target, y)
        elif target.is_repeated or schema.type in (Type.ARRAY, Type.MAP):
            raise _mismatch(schema, target.full_name)
        elif message_of(target) is not None and not self._is_wrapper_of(schema, target):
            source.line(self._fill(schema, target, y, at))
        else:
            self._assign(schema, target, y, "m", target.name)

    def _assign(self, schema: Schema, target: FieldDescriptor, y: str, owner: str, name: str) -> None:
        """For what is no message but a wrapper."""
        message = message_of(target)
        if message is not None:
            at = f"getattr({owner}, {name!r})" if iskeyword(name) else f"{owner}.{name}"
            value = self._scalar(schema, message.fields[0], y)
            self._source.line(f"{at}.value = {value}")
        elif iskeyword(name):
            self._source.line(f"setattr({owner}, {name!r}, {self._scalar(schema, target, y)})")
        else:
            self._source.line(f"{owner}.{name} = {self._scalar(schema, target, y)}")

    def _is_wrapper_of(self, schema: Schema, target: FieldDescriptor) -> bool:
        message = message_of(target)
        return message is not None and message.full_name in names.WRAPPERS and schema.type in _FITS

    def _fill(self, schema: Schema, target: FieldDescriptor, y: str, at: str) -> str:
        """A line that sets the message at the expression `at`."""
        message = message_of(target)
        if message is None:
            raise _mismatch(schema, target.full_name)
        if schema.name in SET:
            if names.LOGICAL.get(message.full_name) != schema.name:
                raise _mismatch(schema, target.full_name)
            return f"{self._source.constant(SET[schema.name])}({at}, {y})"
        if schema.type is not Type.STRUCT or names.is_union(schema):
            raise _mismatch(schema, target.full_name)
        fill = self._message(schema, message)
        return f"s = {at}; {fill}({y}, s); s.SetInParent()"

    def _set_array(self, schema: Schema, target: FieldDescriptor, y: str) -> None:
        source, held, at = self._source, schema.value_schema, _get(target.name)
        if held is None:
            raise _mismatch(schema, target.full_name)
        source.line(f"if {y}.__class__ is not list and {y}.__class__ is not tuple: misfit({y})")
        if message_of(target) is None:
            source.line(f"{at}.extend([{self._scalar(held, target, 'e')} for e in {y}])")
            return
        source.line(f"for e in {y}:")
        source.indent += 1
        source.line("if e is None: misfit('null in an array')")
        if self._is_wrapper_of(held, target):
            message = message_of(target)
            assert message is not None
            source.line(f"{at}.add().value = {self._scalar(held, message.fields[0], 'e')}")
        else:
            source.line(self._fill(held, target, "e", f"{at}.add()"))
        source.indent -= 1

    def _set_map(self, schema: Schema, target: FieldDescriptor, y: str) -> None:
        source, message = self._source, message_of(target)
        if message is None or schema.key_schema is None or schema.value_schema is None:
            raise _mismatch(schema, target.full_name)
        key, value = message.fields
        at = _get(target.name)
        source.line(f"if {y}.__class__ is not dict: misfit({y})")
        source.line(f"for k, v in {y}.items():")
        source.indent += 1
        if not message.GetOptions().map_entry:
            source.line(f"n = {at}.add()")
            self._set_part(schema.key_schema, key, "k")
            self._set_part(schema.value_schema, value, "v")
        elif message_of(value) is None:
            place = self._scalar(schema.key_schema, key, "k")
            source.line(f"{at}[{place}] = {self._scalar(schema.value_schema, value, 'v')}")
        else:
            place = self._scalar(schema.key_schema, key, "k")
            source.line(f"n = {at}[{place}]")
            if self._is_wrapper_of(schema.value_schema, value):
                self._assign_wrapper(schema.value_schema, value, "n", "v")
            else:
                source.line(f"if v is not None: {self._fill(schema.value_schema, value, 'v', 'n')}")
        source.indent -= 1

    def _assign_wrapper(self, schema: Schema, target: FieldDescriptor, owner: str, y: str) -> None:
        message = message_of(target)
        assert message is not None
        self._source.line(f"if {y} is not None: {owner}.value = {self._scalar(schema, message.fields[0], y)}")

    def _set_part(self, schema: Schema, target: FieldDescriptor, y: str) -> None:
        """Key or value of an entry `n`; null is left unset where it may be."""
        source = self._source
        source.line(f"if {y} is not None:")
        source.indent += 1
        if target.is_repeated:
            raise _mismatch(schema, target.full_name)
        if message_of(target) is not None and not self._is_wrapper_of(schema, target):
            source.line(self._fill(schema, target, y, f"n.{target.name}"))
        else:
            self._assign(schema, target, y, "n", target.name)
        source.indent -= 1
        if not schema.optional:
            source.line(f"else: misfit({y})")

    def _scalar(self, schema: Schema, target: FieldDescriptor, y: str) -> str:
        """An expression for what a field that is no message takes."""
        if target.type not in _FITS.get(schema.type, ()) or schema.name in SET:
            raise _mismatch(schema, target.full_name)
        if target.type == FieldDescriptor.TYPE_ENUM:
            return self._enum(schema, target, y)
        match schema.type:
            case Type.BOOLEAN:
                return f"({y} if {y} is True or {y} is False else misfit({y}))"
            case Type.STRING:
                return f"({y} if {y}.__class__ is str else misfit({y}))"
            case Type.BYTES:
                return f"({y} if {y}.__class__ is bytes else as_bytes({y}))"
            case Type.FLOAT32 | Type.FLOAT64:
                return f"({y} if {y}.__class__ is float else as_float({y}))"
        integer = f"({y} if {y}.__class__ is int else as_integer({y}))"
        limit = 1 << _BITS[schema.type] - 1
        if target.type in _UNSIGNED:  # Java's longs have a sign
            return f"({integer} & {(1 << 64) - 1} if {-limit} <= {y} < {limit} else misfit({y}))"
        if schema.type in (Type.INT8, Type.INT16):
            return f"({integer} if {-limit} <= {y} < {limit} else misfit({y}))"
        return integer

    def _enum(self, schema: Schema, target: FieldDescriptor, y: str) -> str:
        assert target.enum_type is not None
        if schema.type is Type.INT32:
            return f"({y} if {y}.__class__ is int else as_integer({y}))"
        numbers = {each.name: each.number for each in target.enum_type.values}
        return f"{self._source.constant(numbers)}[{y}]"


def _get(name: str) -> str:
    """An expression for a field of `m`."""
    return f"getattr(m, {name!r})" if iskeyword(name) else f"m.{name}"


def _mismatch(schema: Schema, target: str) -> DataError:
    return DataError(f"{schema!r} cannot be written as {target} of the Protobuf schema")
