"""Every message in every version, filled at random."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from kconnect.log.protocol import ErrorCode, Message, payloads, requests, responses
from kconnect.log.protocol.definition import FieldDefinition, Versions

MESSAGES = [getattr(module, name) for module in (requests, responses, payloads) for name in dir(module)]

RANGES = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
WORDS = ["", "orders", "naïve-ключ", "x" * 126, "x" * 127, "y" * 300]
BYTES = [b"", b"\x00\xff", b"z" * 127, bytes(range(256)) * 70]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `message` runs for each message class."""
    if "message" in metafunc.fixturenames:
        metafunc.parametrize("message", MESSAGES, ids=[message.definition.name for message in MESSAGES])


@pytest.fixture
def message_versions(message: type[Message]) -> range:
    """All versions of the test's `message`."""
    first, last = Versions.parse(message.definition.versions)
    return range(first, last + 1)


Fill = Callable[[type[Message], int, int], Message]


@pytest.fixture(scope="session")
def fill() -> Fill:
    """`fill(message, version, seed)`: each field of that version with a value that is rarely its default.

    Times stay where other libraries' types can hold them, error codes are Kafka's.
    """

    def fill(message: type[Message], version: int, seed: int) -> Message:
        return struct(message, message, version, random.Random(f"{message.definition.name} {version} {seed}"))

    return fill


def struct(message: type[Message], cls: type[Message], version: int, rng: random.Random) -> Message:
    filled = {}
    for field in message.definition.structs[cls.__name__]:
        if not field.exists_in(version):
            continue
        if field.nullable_in(version) and rng.random() < 0.25:
            filled[field.name] = None
        elif field.is_array:
            count = rng.choice([0, 1, 2, 3])
            filled[field.name] = [element(message, field, version, rng) for _ in range(count)]
        else:
            filled[field.name] = element(message, field, version, rng)
    return cls(**filled)


def element(message: type[Message], field: FieldDefinition, version: int, rng: random.Random) -> Any:
    if field.is_struct:
        return struct(message, getattr(message, field.element), version, rng)
    if field.name.endswith("error_code"):
        return rng.choice([code for code in ErrorCode if code <= ErrorCode.REBOOTSTRAP_REQUIRED])
    if field.element == "int64" and ("timestamp" in field.name or field.name.endswith("time_ms")):
        return rng.randrange(2**41)
    match field.element:
        case "bool":
            return rng.random() < 0.5
        case "string":
            return rng.choice(WORDS)
        case "bytes" | "records":
            return rng.choice(BYTES)
        case "uuid":
            return rng.randbytes(16)
        case "float64":
            return rng.random()
        case number:
            low, high = RANGES[number]
            return rng.choice([low, high, rng.randint(low, high), rng.randint(0, 100)])
