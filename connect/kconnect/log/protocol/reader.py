"""Compiles the reader of one message in one version.

A reader is `read(b, p, e) -> (message, p)`: it starts at byte `p` of buffer `b`, whose length is `e`. The
position that comes back is past `e` when the last value is cut short (slices do not complain), which the
caller has to check. Other values cut short raise IndexError or struct.error. Lengths of arrays are compared with
what is left before anything is allocated. Record batches stay slices of `b`.
"""

from collections.abc import Callable
from struct import calcsize, unpack_from
from typing import Any

from kconnect.log.protocol.definition import FIXED_FORMATS, FieldDefinition, MessageDefinition
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.message import Buffer, Message
from kconnect.log.protocol.source import Source
from kconnect.log.protocol.varint import read_uvarint

Reader = Callable[[Buffer, int, int], tuple[Any, int]]

_CONVERSIONS = {
    "string": 'str(b[p:p + {n}], "utf-8")',
    "bytes": "bytes(b[p:p + {n}])",
    "records": "b[p:p + {n}]",
}


def compile_reader(message: type[Message], version: int) -> Reader:
    return _ReaderCompiler(message, version).compile()


def _bad_length(what: str, length: int) -> ProtocolError:
    if length == -1:
        return ProtocolError(f"{what} is null, which it must not be")
    return ProtocolError(f"{what} claims a length of {length}")


class _ReaderCompiler:
    def __init__(self, message: type[Message], version: int) -> None:
        self._message = message
        self._definition: MessageDefinition = message.definition
        self._version = version
        self._flexible = self._definition.flexible_in(version)
        self._sizes: dict[str, int] = {}
        self._source = Source()
        self._run: list[tuple[str, str]] = []
        """Formats and targets of values of fixed size that come in with one `unpack`."""
        self._source.namespace.update(read_uvarint=read_uvarint, unpack_from=unpack_from, bad_length=_bad_length)

    def compile(self) -> Reader:
        for struct_name in self._definition.structs:
            self._struct(struct_name)
        name = self._definition.name
        functions = self._source.compiled(f"<reader of {name} v{self._version}>")
        reader: Reader = functions[f"read_{self._definition.short_name}"]
        return reader

    def _struct(self, name: str) -> None:
        source = self._source
        fields = self._definition.structs[name]
        whole = name == self._definition.short_name
        source.namespace[name] = self._message if whole else getattr(self._message, name)
        present = [field for field in fields if field.exists_in(self._version)]
        tagged = [field for field in present if self._flexible and field.tagged_in(self._version)]
        plain = [field for field in present if field not in tagged]
        self._sizes[name] = max(1, sum(map(self._least_size, plain)) + self._flexible)
        with source.block(f"def read_{name}(b, p, e):"):
            for field in plain:
                self._field(_local(field), field, f"{name}.{field.name}")
            if self._flexible:
                self._tagged_fields(name, tagged)
            self._flush()
            source.line(f"return {name}({self._arguments(fields, present)}), p")

    def _arguments(self, fields: list[FieldDefinition], present: list[FieldDefinition]) -> str:
        """Positional up to the last field that this version has; the class knows the other defaults."""
        last = fields.index(present[-1]) + 1 if present else 0
        return ", ".join(_local(field) if field in present else _default(field) for field in fields[:last])

    def _flush(self) -> None:
        if not self._run:
            return
        formats, targets = zip(*self._run, strict=True)
        self._run = []
        if formats == ("B",):
            self._source.line(f"{targets[0]} = b[p]; p += 1")
            return
        unpack, size = self._source.unpack("".join(formats))
        self._source.line(f"{', '.join(targets)}, = {unpack}(b, p); p += {size}")

    def _tagged_fields(self, struct_name: str, fields: list[FieldDefinition]) -> None:
        source = self._source
        for field in fields:
            source.line(f"{_local(field)} = {_default(field)}")
        self._run.append(("B", "tags"))
        self._flush()
        with source.block("if tags:"):
            source.line("tags, p = read_uvarint(b, p - 1)")
            with source.block("for _ in range(tags):"):
                source.line("tag, p = read_uvarint(b, p)")
                source.line("size, p = read_uvarint(b, p)")
                source.line("end = p + size")
                for field in fields:
                    with source.block(f"if tag == {field.tag}:"):
                        what = f"{struct_name}.{field.name}"
                        self._field(_local(field), field, what)
                        self._flush()
                        source.line(f"if p != end: raise bad_length({what!r}, size)")
                source.line("p = end")

    def _field(self, target: str, field: FieldDefinition, what: str) -> None:
        if field.is_array:
            self._array(target, field, what)
        elif field.is_struct:
            self._nested(target, field)
        elif field.type in FIXED_FORMATS:
            self._run.append((FIXED_FORMATS[field.type], target))
        else:
            self._sized(target, field.type, field.nullable_in(self._version), what)

    def _nested(self, target: str, field: FieldDefinition) -> None:
        source = self._source
        self._flush()
        if not field.nullable_in(self._version):
            source.line(f"{target}, p = read_{field.element}(b, p, e)")
            return
        source.line("p += 1")
        source.line(f"if b[p - 1] > 127: {target} = None")
        source.line(f"else: {target}, p = read_{field.element}(b, p, e)")

    def _sized(self, target: str, wire_type: str, nullable: bool, what: str) -> None:
        source = self._source
        n = source.fresh("n")
        self._length(n, "h" if wire_type == "string" else "i")
        with source.block(f"if {n} >= 0:"):
            source.line(f"{target} = {_CONVERSIONS[wire_type].format(n=n)}; p += {n}")
        self._refuse_length(target, n, nullable, what)

    def _array(self, target: str, field: FieldDefinition, what: str) -> None:
        source = self._source
        n = source.fresh("n")
        self._length(n, "i")
        with source.block(f"if {n} >= 0:"):
            source.line(f"if {n} > (e - p) // {self._least_element(field)}: raise bad_length({what!r}, {n})")
            if field.element in FIXED_FORMATS and field.element != "uuid":
                code = FIXED_FORMATS[field.element]
                source.line(f'{target} = list(unpack_from(f">{{{n}}}{code}", b, p)); p += {n} * {calcsize(">" + code)}')
            else:
                self._elements(target, field, n, what)
        self._refuse_length(target, n, field.nullable_in(self._version), what)

    def _elements(self, target: str, field: FieldDefinition, n: str, what: str) -> None:
        source = self._source
        item = source.fresh("item")
        source.line(f"{target} = []")
        with source.block(f"for _ in range({n}):"):
            if field.is_struct:
                source.line(f"{item}, p = read_{field.element}(b, p, e)")
            elif field.element in FIXED_FORMATS:
                self._run.append((FIXED_FORMATS[field.element], item))
            else:
                self._sized(item, field.element, False, what)
            self._flush()
            source.line(f"{target}.append({item})")

    def _length(self, n: str, format_: str) -> None:
        """Reads a length into variable `n`: -1 for null."""
        self._run.append(("B" if self._flexible else format_, n))
        self._flush()
        if self._flexible:
            self._source.line(f"if {n} > 127: {n}, p = read_uvarint(b, p - 1)")
            self._source.line(f"{n} -= 1")

    def _refuse_length(self, target: str, n: str, nullable: bool, what: str) -> None:
        if nullable:
            self._source.line(f"elif {n} == -1: {target} = None")
        self._source.line(f"else: raise bad_length({what!r}, {n})")

    def _least_size(self, field: FieldDefinition) -> int:
        """How few bytes a field takes."""
        if field.is_array or (field.is_struct and field.nullable_in(self._version)):
            return 1
        return self._least_element(field)

    def _least_element(self, field: FieldDefinition) -> int:
        if field.element in FIXED_FORMATS:
            return calcsize(">" + FIXED_FORMATS[field.element])
        return self._sizes.get(field.element, 1)


def _local(field: FieldDefinition) -> str:
    return f"f_{field.name}"


def _default(field: FieldDefinition) -> str:
    """An expression for the value of a field that was not sent; each message gets an array of its own."""
    if field.zero is None:
        return "None"
    if field.is_array:
        return "[]"
    return f"{field.element}()" if field.is_struct else repr(field.zero)
