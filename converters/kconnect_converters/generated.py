"""Python source written by a compiler, function by function, and what it refers to."""

from __future__ import annotations

from typing import Any


class GeneratedSource:
    """Functions are finished one at a time: one that needs another starts it in the middle of its own lines."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = dict(names)
        self._functions: list[str] = []
        self._open: list[list[str]] = []
        self._count = 0
        self.indent = 1

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, value: Any) -> str:
        """An expression for `value`."""
        if value is None or type(value) in (bytes, int, str, bool):
            return repr(value)
        name = self.name("K")
        self._names[name] = value
        return name

    def line(self, text: str) -> None:
        self._open[-1].append("    " * self.indent + text)

    def begin(self, header: str) -> int:
        """Start a function; what it returns is for `end`."""
        self._open.append([header])
        outer, self.indent = self.indent, 1
        return outer

    def end(self, outer: int) -> None:
        self._functions.append("\n".join(self._open.pop()))
        self.indent = outer

    def compile(self, function: str, file_name: str) -> Any:
        source = "\n\n".join(self._functions)
        exec(compile(source, file_name, "exec"), self._names)  # noqa: S102 - our own source, names quoted by repr
        return self._names[function]
