"""What an error of MongoDB, or of its driver, means for a connector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bson.errors import BSONError
from pymongo import errors as theirs

from kconnect import ConfigError, ConnectError, DataError, RetriableError

NOT_FOUND: Final = 26
NOT_IMPLEMENTED: Final = (59, 238)
"""59 is MongoDB's word for a command that it has not, 238 FerretDB's."""
DUPLICATE_KEY: Final = 11000

_LOGIN = (18, 8000)
_FORBIDDEN = (13,)
_PASSING: Final = frozenset(
    {6, 7, 24, 43, 50, 63, 64, 89, 91, 112, 133, 134, 150, 175, 189, 202, 234, 262, 317, 384, 9001, 10107, 11600}
    | {11602, 13388, 13435, 13436, 14031}
)
"""Hosts not reached, timeouts, elections, write conflicts, a full disk: what ends when the server is seen to."""
_DATA: Final = frozenset(
    {2, 9, 14, 28, 40, 52, 54, 55, 56, 57, 66, 121, 10334, 11000, 11001, 12582, 16755, 17280, 17419}
)
"""What a single write's document is to blame for: values, duplicate keys, a collection's validator, sizes."""


@contextmanager
def translating(where: object) -> Iterator[None]:
    """Errors of the driver come out as ConnectError and its kinds."""
    try:
        yield
    except (theirs.PyMongoError, BSONError) as error:
        raise translated(error, where) from error


def translated(error: Exception, where: object) -> ConnectError:
    """RetriableError for what passes, DataError for what is the fault of the data, ConnectError otherwise.

    `where` names the server, without a password."""
    text = message_of(error)
    match error:
        case theirs.OperationFailure():
            return of_code(error.code, text, where)
        case _ if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            return ConnectError(
                f"the certificate of MongoDB at {where} is not believed: {text}. Check connection.ssl.truststore, or "
                "tlsCAFile in connection.uri"
            )
        case theirs.ConfigurationError():
            return ConfigError(text, key="connection.uri")
        case theirs.ConnectionFailure() | theirs.ExecutionTimeout():
            return RetriableError(f"MongoDB at {where} cannot be reached: {text}")
        case theirs.InvalidOperation():  # the client was closed by a stop
            return RetriableError(f"MongoDB at {where} is not there any more: {text}")
        case BSONError():
            return DataError(f"MongoDB cannot hold it: {text}")
        case _:
            return ConnectError(f"MongoDB at {where}: {text}")


def of_code(code: int | None, text: str, where: object) -> ConnectError:
    """What an error that the server answered means."""
    if code in _LOGIN:
        return ConnectError(f"MongoDB at {where} refuses the login: {text}. Check the user of connection.uri")
    if code in _FORBIDDEN:
        return ConnectError(f"MongoDB at {where} does not allow it: {text}. Grant it to the user of connection.uri")
    if code in NOT_IMPLEMENTED:
        return ConnectError(f"MongoDB at {where} has no such thing: {text}")
    if code in _PASSING:
        return RetriableError(f"MongoDB at {where} cannot do it now: {text}")
    if code in _DATA:
        return DataError(f"MongoDB at {where} refuses it: {text}")
    return ConnectError(f"MongoDB at {where}: {text} (code {code})")


def message_of(error: Exception) -> str:
    """What the server said, where it did; the driver's words without its dump of the whole topology otherwise."""
    details = getattr(error, "details", None)
    if isinstance(details, Mapping) and isinstance(details.get("errmsg"), str):
        return str(details["errmsg"]).rstrip(".")
    return str(error).partition(", Timeout:")[0].partition(" (configured timeouts:")[0].strip().rstrip(".")


def write_failures(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`writeErrors` of a BulkWriteError, in the order of the operations."""
    return sorted(details.get("writeErrors", ()), key=lambda each: int(each["index"]))
