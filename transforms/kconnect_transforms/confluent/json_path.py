"""JSON paths, as Java's Jayway library reads them: $.a['b'][0][*]..c[?(@.d == 'x' && !(@.e > 1))]."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, TypeAlias

from kconnect.config import ConfigError
from kconnect.java_regex import JavaPattern


class MissingError(Exception):
    """A step of the path leads to nothing, or to null; says which."""


Condition: TypeAlias = Callable[[Any, Any], bool]
"""The root and the node at hand → whether it holds."""
Operand: TypeAlias = Callable[[Any, Any], Any]


class JsonPath:
    """A compiled path. Raises ConfigError, saying where, for one that cannot be read.

    A condition keeps the map that it stands behind, or those elements of a list, of which it is true."""

    def __init__(self, text: str) -> None:
        reader = _Reader(text)
        try:
            reader.expect("$")
            self._steps = reader.steps()
            reader.expect_end()
        except RecursionError:
            raise ConfigError("is not a JSON path: its conditions are nested too deep") from None

    def find(self, root: Any) -> list[Any]:
        """What the path leads to. Raises MissingError where a single name or index leads to nothing or to null."""
        nodes, single = [root], True
        for step in self._steps:
            found = [each for node in nodes for each in step.of(root, node) if each is not None]
            single = single and step.single
            if single and not found:
                raise MissingError(f"nothing at {step.text}")
            nodes = found
        return nodes


def valid_path(name: str, value: str | None) -> None:
    """A validator of keys that hold a path."""
    try:
        JsonPath(value or "")
    except ConfigError as error:
        raise ConfigError(error.reason, key=name, value=value, suggestion=error.suggestion) from error


class _Step:
    def __init__(self, text: str, of: Callable[[Any, Any], Iterable[Any]], *, single: bool) -> None:
        self.text = text
        self.of = of
        self.single = single


def _children(node: Any) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def _named(name: str) -> Callable[[Any, Any], Iterable[Any]]:
    return lambda _root, node: (node[name],) if isinstance(node, dict) and name in node else ()


def _indexed(index: int) -> Callable[[Any, Any], Iterable[Any]]:
    return lambda _root, node: node[index:][:1] if isinstance(node, list) and -len(node) <= index else ()


def _descendants(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _descendants(child)


def _deep(name: str) -> Callable[[Any, Any], Iterable[Any]]:
    return lambda _root, node: [each[name] for each in _descendants(node) if isinstance(each, dict) and (name in each)]


def _kept(condition: Condition) -> Callable[[Any, Any], Iterable[Any]]:
    def keep(root: Any, node: Any) -> Iterable[Any]:
        candidates = node if isinstance(node, list) else (node,)
        return [each for each in candidates if condition(root, each)]

    return keep


_NAME: Final = re.compile(r"[^\s.\[\]()'\"=!<>&|,~@$?*]+")
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_INDEX: Final = re.compile(r"-?\d+")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)*)/(i?)")
_OPERATOR: Final = re.compile(r"==|!=|<=|>=|=~|<|>|(?:in|nin)\b")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_UNDEFINED: Final = object()

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Reader:
    """One pass over a path."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def steps(self) -> list[_Step]:
        steps: list[_Step] = []
        while (step := self._step()) is not None:
            steps.append(step)
        return steps

    def expect(self, token: str) -> None:
        if not self._take(token):
            raise self._wrong(f"{token} is missing")

    def expect_end(self) -> None:
        if self._at < len(self._text):
            raise self._wrong("this is not understood")

    def _step(self) -> _Step | None:
        start = self._at
        if self._text.startswith("..", start):
            self._at += 2
            return self._made(_deep(self._name()), single=False)
        if self._text.startswith(".", start):
            self._at += 1
            if self._text.startswith("*", self._at):
                self._at += 1
                return self._made(lambda _root, node: _children(node), single=False)
            return self._made(_named(self._name()), single=True)
        if not self._text.startswith("[", start):
            return None
        self._at += 1
        if self._take("?"):
            self.expect("(")
            condition = self._any_of()
            self.expect(")")
            self.expect("]")
            return self._made(_kept(condition), single=False)
        if self._take("*"):
            self.expect("]")
            return self._made(lambda _root, node: _children(node), single=False)
        of = (
            _named(quoted) if (quoted := self._quoted()) is not None else _indexed(int(self._match(_INDEX, "an index")))
        )
        self.expect("]")
        return self._made(of, single=True)

    def _made(self, of: Callable[[Any, Any], Iterable[Any]], *, single: bool) -> _Step:
        return _Step(self._text[: self._at], of, single=single)

    def _any_of(self) -> Condition:
        terms = [self._all_of()]
        while self._take("||"):
            terms.append(self._all_of())
        return terms[0] if len(terms) == 1 else lambda root, node: any(term(root, node) for term in terms)

    def _all_of(self) -> Condition:
        terms = [self._term()]
        while self._take("&&"):
            terms.append(self._term())
        return terms[0] if len(terms) == 1 else lambda root, node: all(term(root, node) for term in terms)

    def _term(self) -> Condition:
        if self._take("!"):
            negated = self._term()
            return lambda root, node: not negated(root, node)
        if self._take("("):
            inner = self._any_of()
            self.expect(")")
            return inner
        left = self._operand()
        self._space()
        found = _OPERATOR.match(self._text, self._at)
        if found is None:
            return lambda root, node: left(root, node) is not _UNDEFINED
        self._at = found.end()
        if found[0] == "=~":
            pattern = self._regex()
            return lambda root, node: isinstance(value := left(root, node), str) and pattern.matches(value)
        right = self._list() if found[0] in ("in", "nin") else self._operand()
        return _comparison(found[0], left, right)

    def _operand(self) -> Operand:
        self._space()
        start = self._text[self._at : self._at + 1]
        if start in ("@", "$") and start:
            self._at += 1
            steps = self.steps()
            if not all(step.single for step in steps):
                raise self._wrong("only names and indexes may stand in a condition")
            return _reading(steps, from_root=start == "$")
        value = self._literal()
        return lambda _root, _node: value

    def _list(self) -> Operand:
        self.expect("[")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self.expect("]")
        return lambda _root, _node: values

    def _literal(self) -> Any:
        self._space()
        quoted = self._quoted()
        if quoted is not None:
            return quoted
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            self._at = number.end()
            return Decimal(number[0])
        word = _NAME.match(self._text, self._at)
        if word is None or word[0] not in _WORDS:
            raise self._wrong("a text in quotes, a number, true, false or null is missing")
        self._at = word.end()
        return _WORDS[word[0]]

    def _regex(self) -> JavaPattern:
        self._space()
        found = _REGEX.match(self._text, self._at)
        if found is None:
            raise self._wrong("a regular expression between slashes is missing")
        self._at = found.end()
        return JavaPattern(found[1].replace("\\/", "/"), re.IGNORECASE if found[2] else re.NOFLAG)

    def _name(self) -> str:
        return self._match(_NAME, "a name")

    def _quoted(self) -> str | None:
        self._space()
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2])

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        self._space()
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong(f"{what} is missing")
        self._at = found.end()
        return found[0]

    def _take(self, token: str) -> bool:
        self._space()
        taken = self._text.startswith(token, self._at)
        if taken:
            self._at += len(token)
        return taken

    def _space(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _wrong(self, reason: str) -> ConfigError:
        rest = self._text[self._at :]
        return ConfigError(
            f"is not a JSON path: {reason} at {rest!r:.40}" if rest else f"is not a JSON path: {reason} at its end",
            value=self._text,
            suggestion="such as $.field or $.field[?(@.inner == 'x')]",
        )


def _reading(steps: list[_Step], *, from_root: bool) -> Operand:
    """What the steps lead to; nothing is undefined."""

    def read(root: Any, node: Any) -> Any:
        value = root if from_root else node
        for step in steps:
            found = list(step.of(root, value))
            if not found:
                return _UNDEFINED
            value = found[0]
        return value

    return read


def _comparison(symbol: str, left: Operand, right: Operand) -> Condition:
    def compare(root: Any, node: Any) -> bool:
        a, b = left(root, node), right(root, node)
        if a is _UNDEFINED or b is _UNDEFINED:
            return False
        if symbol == "==":
            return _equal(a, b)
        if symbol == "!=":
            return not _equal(a, b)
        if symbol in ("in", "nin"):
            return any(_equal(a, each) for each in b) is (symbol == "in")
        return _ordered(a, b) and _ORDERS[symbol](a, b)

    return compare


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, bool) is isinstance(b, bool) and bool(_exact(a) == _exact(b))


def _exact(value: Any) -> Any:
    """A float as the number that is written for it, so that 0.1 is 0.1."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _ordered(a: Any, b: Any) -> bool:
    numbers = (int, float, Decimal)
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    return (isinstance(a, str) and isinstance(b, str)) or (isinstance(a, numbers) and isinstance(b, numbers))
