"""Python source under construction, with the names that it refers to."""

from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Any


class Source:
    """Lines of code and the namespace in which they are going to run."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {}
        self._lines: list[str] = []
        self._depth = 0
        self._count = 0

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A compound statement: what is written inside is its body."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def fresh(self, prefix: str) -> str:
        """A variable's name that nothing else has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def unpack(self, format_: str) -> tuple[str, int]:
        """The name of `Struct(format_).unpack_from`, and how many bytes it reads."""
        packed = Struct(">" + format_)
        name = "unpack_" + format_.replace("?", "B_")
        self.namespace[name] = packed.unpack_from
        return name, packed.size

    def pack(self, format_: str) -> str:
        """The name of `Struct(format_).pack`."""
        name = "pack_" + format_.replace("?", "B_")
        self.namespace[name] = Struct(">" + format_).pack
        return name

    def compiled(self, file_name: str) -> dict[str, Any]:
        """Runs the source once; its functions are in the namespace that comes back."""
        exec(compile("\n".join(self._lines), file_name, "exec"), self.namespace)  # noqa: S102 - our own tables only
        return self.namespace
