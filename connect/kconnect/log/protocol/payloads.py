"""What Kafka keeps in records and in group memberships; made on first use, fields in the stub beside it."""

from kconnect.log.protocol.definition import names
from kconnect.log.protocol.message import Message, message_class


def __getattr__(name: str) -> type[Message]:
    try:
        found = message_class("payloads", name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return names("payloads")
