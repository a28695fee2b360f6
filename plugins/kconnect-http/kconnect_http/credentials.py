"""What requests are let in with."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from kconnect import ConfigError, Password

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Credentials(Protocol):
    """Belongs to one thread."""

    def headers(self) -> Mapping[str, str]:
        """To be sent with each request to the origin that they are for, and to no other. RetriableError and
        ConnectError where they have to be fetched."""
        ...

    def refused(self) -> bool:
        """The server answered 401 to them; whether it is worth to ask once more, with others."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)

    def headers(self) -> Mapping[str, str]:
        return self.fixed

    def refused(self) -> bool:
        return False

    def close(self) -> None:
        pass


def basic(user: str, password: Password | None) -> str:
    """The value of an Authorization header (RFC 7617)."""
    pair = f"{user}:{'' if password is None else password.value}"
    secret = Password(base64.b64encode(pair.encode()).decode())
    return f"Basic {secret.value}"


def check_header(name: str, header: str, value: str) -> None:
    """ConfigError, naming the key `name`, for what cannot be sent as a header. The value is not shown."""
    if not _TOKEN.fullmatch(header):
        raise ConfigError(f"{header!r} is not the name of a header", key=name)
    if header.lower() in ("host", "content-length", "transfer-encoding", "connection"):
        raise ConfigError(f"{header} is set for each request, and not by a configuration", key=name)
    check_header_value(name, header, value)


def check_header_value(name: str, header: str, value: str) -> None:
    if _CONTROL.search(value):
        raise ConfigError(f"the value of {header} has a control character in it", key=name)
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError(f"the value of {header} has characters that headers cannot have", key=name) from None


def sendable(value: str) -> bool:
    """Whether `value` may be a header's: no control characters, nothing beyond Latin 1."""
    return (value.isascii() and value.isprintable()) or (not _CONTROL.search(value) and max(value) <= "\xff")
