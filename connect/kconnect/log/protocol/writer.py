"""Compiles the writer of one message in one version.

A writer is `write(o, out, cuts)`: it appends message `o` to the bytearray `out`, apart from record batches,
which it notes in `cuts` as (offset in `out`, buffer): they go there when everything is sent.
"""

from collections.abc import Callable
from typing import Any

from kconnect.log.protocol.definition import FIXED_FORMATS, FieldDefinition, MessageDefinition
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.message import Buffer, Message
from kconnect.log.protocol.source import Source
from kconnect.log.protocol.varint import write_uvarint

Cuts = list[tuple[int, Buffer]]
Writer = Callable[[Any, bytearray, Cuts], None]


def compile_writer(message: type[Message], version: int) -> Writer:
    return _WriterCompiler(message, version).compile()


def _cannot_say(what: str, value: object) -> ProtocolError:
    return ProtocolError(f"{what} is set to {value!r}, which this version cannot express")


class _WriterCompiler:
    def __init__(self, message: type[Message], version: int) -> None:
        self._message = message
        self._definition: MessageDefinition = message.definition
        self._version = version
        self._flexible = self._definition.flexible_in(version)
        self._source = Source()
        self._source.namespace.update(write_uvarint=write_uvarint, cannot_say=_cannot_say)
        self._run: list[tuple[str, str]] = []
        """Formats and expressions of values of fixed size that go out in one `pack`."""

    def compile(self) -> Writer:
        for struct_name in self._definition.structs:
            self._struct(struct_name)
        name = self._definition.name
        functions = self._source.compiled(f"<writer of {name} v{self._version}>")
        writer: Writer = functions[f"write_{self._definition.short_name}"]
        return writer

    def _struct(self, name: str) -> None:
        source = self._source
        fields = self._definition.structs[name]
        whole = name == self._definition.short_name
        source.namespace[name] = self._message if whole else getattr(self._message, name)
        tagged = []
        with source.block(f"def write_{name}(o, out, cuts):"):
            for field in fields:
                if not field.exists_in(self._version):
                    self._absent(name, field)
                elif self._flexible and field.tagged_in(self._version):
                    tagged.append(field)
                else:
                    self._field(f"o.{field.name}", field)
            if self._flexible:
                self._tagged_fields(tagged)
            self._flush()
            source.line("return")

    def _absent(self, struct_name: str, field: FieldDefinition) -> None:
        if not field.ignorable:
            value = f"o.{field.name}"
            self._source.line(f"if {_differs(value, field)}: raise cannot_say('{struct_name}.{field.name}', {value})")

    def _tagged_fields(self, fields: list[FieldDefinition]) -> None:
        source = self._source
        if not fields:
            self._run.append(("B", "0"))
            return
        self._flush()
        source.line("tags = 0; body = out; section = bytearray()")
        for field in sorted(fields, key=lambda field: field.tag or 0):
            with source.block(f"if {_differs(f'o.{field.name}', field)}:"):
                source.line("tags += 1; out = bytearray()")
                self._field(f"o.{field.name}", field)
                self._flush()
                source.line(f"write_uvarint(section, {field.tag}); write_uvarint(section, len(out)); section += out")
        source.line("write_uvarint(body, tags); body += section")

    def _field(self, value: str, field: FieldDefinition) -> None:
        nullable = field.nullable_in(self._version)
        if field.is_array:
            self._array(value, field, nullable)
        elif field.is_struct:
            self._nested(value, field, nullable)
        elif field.type in FIXED_FORMATS:
            self._run.append((FIXED_FORMATS[field.type], value))
        else:
            self._sized(value, field.type, nullable)

    def _nested(self, value: str, field: FieldDefinition, nullable: bool) -> None:
        source = self._source
        self._flush()
        write = f"write_{field.element}({value}, out, cuts)"
        if nullable:
            source.line(f"if {value} is None: out.append(255)")
            source.line(f"else: out.append(1); {write}")
        else:
            source.line(write)

    def _sized(self, value: str, wire_type: str, nullable: bool) -> None:
        if not nullable:
            self._present(value, wire_type)
            return
        source = self._source
        self._flush()
        with source.block(f"if {value} is None:"):
            self._length("-1", "h" if wire_type == "string" else "i")
            self._flush()
        with source.block("else:"):
            self._present(value, wire_type)

    def _present(self, value: str, wire_type: str) -> None:
        """A string, bytes or records that are there."""
        source = self._source
        data = source.fresh("data")
        source.line(f"{data} = {value}.encode()" if wire_type == "string" else f"{data} = {value}")
        self._length(f"len({data})", "h" if wire_type == "string" else "i")
        self._flush()
        if wire_type == "records":
            source.line(f"cuts.append((len(out), {data}))")
        else:
            source.line(f"out += {data}")

    def _array(self, value: str, field: FieldDefinition, nullable: bool) -> None:
        source = self._source
        if not nullable:
            self._elements(value, field)
            return
        self._flush()
        with source.block(f"if {value} is None:"):
            self._length("-1", "i")
            self._flush()
        with source.block("else:"):
            self._elements(value, field)

    def _elements(self, value: str, field: FieldDefinition) -> None:
        source = self._source
        items, item = source.fresh("items"), source.fresh("item")
        source.line(f"{items} = {value}")
        self._length(f"len({items})", "i")
        self._flush()
        with source.block(f"for {item} in {items}:"):
            if field.is_struct:
                source.line(f"write_{field.element}({item}, out, cuts)")
            elif field.element in FIXED_FORMATS:
                self._run.append((FIXED_FORMATS[field.element], item))
            else:
                self._present(item, field.element)
            self._flush()

    def _length(self, length: str, format_: str) -> None:
        source = self._source
        if not self._flexible:
            self._run.append((format_, length))
            return
        self._flush()
        if length == "-1":
            self._run.append(("B", "0"))
            return
        source.line(f"size = {length} + 1")
        source.line("if size < 128: out.append(size)")
        source.line("else: write_uvarint(out, size)")

    def _flush(self) -> None:
        if not self._run:
            return
        formats, values = zip(*self._run, strict=True)
        self._run = []
        pack = self._source.pack("".join(formats))
        self._source.line(f"out += {pack}({', '.join(values)})")


def _differs(value: str, field: FieldDefinition) -> str:
    """An expression that tells whether a field has another value than its default."""
    if field.zero is None:
        return f"{value} is not None"
    if field.is_array:
        return value
    if field.is_struct:
        return f"{value} != {field.element}()"
    return f"{value} != {field.zero!r}" if field.zero else value
