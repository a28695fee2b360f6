"""Protobuf files: from the text or the bytes that a registry keeps to descriptors.

The text is read by protoc itself, which `grpcio-tools` carries, in a process of its own: that takes a fifth of a second
once a schema, and leaves imports, scopes and options to those who define them.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor

from kconnect.errors import ConfigError, DataError
from kconnect_converters.protobuf.text import proto_text

_TIMEOUT_S: Final = 60
_MAIN: Final = "kconnect/schema.proto"
_OWN: Final = Path(__file__).with_name("proto")


class ProtoFile:
    """A schema: a file, with all that it imports, in a pool of its own. Compared by identity."""

    def __init__(
        self, text: str, files: Sequence[descriptor_pb2.FileDescriptorProto], *, counts_entries: bool = False
    ) -> None:
        """`files` come each after what it imports, the schema's last. `counts_entries` says whether the messages that
        protoc makes for maps count in the places of messages: Java counts what the registry keeps, and a text does not
        name them. DataError for what is no Protobuf."""
        self.text = text
        self._counts_entries = counts_entries
        self.proto = files[-1]
        pool = descriptor_pool.DescriptorPool()
        try:
            for each in files:
                pool.AddSerializedFile(each.SerializeToString())
            self.descriptor: FileDescriptor = pool.FindFileByName(self.proto.name)
        except (TypeError, KeyError) as error:
            raise DataError(f"the Protobuf schema is none: {error}") from None

    @property
    def first_name(self) -> str | None:
        """The full name of the file's first message."""
        if not self.proto.message_type:
            return None
        package = f"{self.proto.package}." if self.proto.package else ""
        return f"{package}{self.proto.message_type[0].name}"

    def message(self, indexes: Sequence[int]) -> Descriptor:
        """The message at that place of the file, then of the message, and so on. DataError if there is none."""
        level = list(self.proto.message_type)
        path = []
        for index in indexes:
            if not 0 <= index < len(level):
                raise DataError(f"the Protobuf schema has no message at {'.'.join(map(str, indexes))}")
            path.append(level[index].name)
            level = self._inside(level[index])
        return self._at(path)

    def _inside(self, message: descriptor_pb2.DescriptorProto) -> list[descriptor_pb2.DescriptorProto]:
        return [each for each in message.nested_type if self._counts_entries or not each.options.map_entry]

    def _at(self, path: Sequence[str]) -> Descriptor:
        found: Any = self.descriptor.message_types_by_name[path[0]]
        for name in path[1:]:
            found = found.nested_types_by_name[name]
        descriptor: Descriptor = found
        return descriptor

    def indexes(self, full_name: str) -> list[int]:
        """The place of that message; of the first where the file has none of that name."""
        package = f"{self.proto.package}." if self.proto.package else ""
        level = list(self.proto.message_type)
        found: list[int] = []
        for part in full_name.removeprefix(package).split("."):
            place = next((index for index, each in enumerate(level) if each.name == part), None)
            if place is None:
                return [0]
            found.append(place)
            level = self._inside(level[place])
        return found


def message_class(descriptor: Descriptor) -> Any:
    """Messages of that descriptor; their fields are not known to a type checker."""
    return message_factory.GetMessageClass(descriptor)


def file_of(proto: descriptor_pb2.FileDescriptorProto) -> ProtoFile:
    """The schema that `proto` describes, which imports known files alone."""
    return ProtoFile(proto_text(proto), [*_known(tuple(proto.dependency)), proto])


@cache
def wrappers_file() -> ProtoFile:
    """google/protobuf/wrappers.proto."""
    proto = descriptor_pb2.FileDescriptorProto.FromString(wrappers_pb2.DESCRIPTOR.serialized_pb)
    return ProtoFile(proto_text(proto), [proto])


@cache
def _known(paths: tuple[str, ...]) -> tuple[descriptor_pb2.FileDescriptorProto, ...]:
    return tuple(_compiled("".join(f'import "{path}";\n' for path in paths), [])[:-1]) if paths else ()


def parse_file(text: str, references: Sequence[tuple[str, str]]) -> ProtoFile:
    """The schema that a registry keeps as text, or as the Base64 of its descriptor. `references` are the files that it
    imports, by their paths, each after what it imports itself; google's and Confluent's own need not be among them.
    DataError, with what protoc says, for what is none."""
    proto = _serialized(text)
    if proto is None:
        return ProtoFile(text, _compiled(text, references))
    imports = "".join(f'import "{path}";\n' for path in proto.dependency)
    imported = _compiled(imports, references)[:-1] if imports else []
    return ProtoFile(text, [*imported, proto], counts_entries=True)


def _serialized(text: str) -> descriptor_pb2.FileDescriptorProto | None:
    try:
        return descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except Exception:
        return None


def _compiled(text: str, references: Sequence[tuple[str, str]]) -> list[descriptor_pb2.FileDescriptorProto]:
    """The file of `text` and those that it imports, each after what it imports itself."""
    with tempfile.TemporaryDirectory(prefix="protoc-") as name:
        folder = Path(name)
        serialized = descriptor_pb2.FileDescriptorSet()
        for path, content in [*references, (_MAIN, text)]:
            found = _serialized(content)
            if found is not None:
                found.name = path
                serialized.file.append(found)
                continue
            target = folder / "in" / _inside(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        output, given = folder / "out", folder / "given"
        command = [sys.executable, "-P", "-m", "grpc_tools.protoc", "--include_imports"]
        command += [f"-I{path}" for path in (folder / "in", _OWN, *_google_types())]
        if serialized.file:
            given.write_bytes(serialized.SerializeToString())
            command.append(f"--descriptor_set_in={given}")
        _run([*command, f"--descriptor_set_out={output}", _MAIN])
        return list(descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, on files of our own
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"protoc did not read the Protobuf schema within {_TIMEOUT_S} s") from None
    if done.returncode:
        said = [line.removeprefix(f"{_MAIN}:") for line in done.stderr.splitlines() if "warning:" not in line]
        raise DataError(f"the Protobuf schema is none: {'; '.join(said[:5])}")


def _inside(path: str) -> PurePosixPath:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise DataError(f"a Protobuf schema imports {path!r}, which is no path inside a folder")
    return pure


@cache
def _google_types() -> tuple[Path, ...]:
    """The folders in which google/type/*.proto are."""
    spec = find_spec("google.type")
    return tuple(Path(each).parents[1] for each in (spec.submodule_search_locations or ())) if spec else ()


def require_tools() -> None:
    """ConfigError where protoc, or google's files, are not installed."""
    if find_spec("grpc_tools") is None or not _google_types():
        raise ConfigError("ProtobufConverter needs protoc and google's files", suggestion="install kconnect[protobuf]")
