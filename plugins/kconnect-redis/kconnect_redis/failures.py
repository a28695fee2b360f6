"""What an error of Redis means for a connector."""

from __future__ import annotations

from redis import exceptions as theirs

from kconnect import ConnectError, DataError, RetriableError

_PASSING = ("MISCONF", "NOREPLICAS", "BUSY ", "NOTBUSY", "UNBLOCKED", "LOADING", "MASTERDOWN")
"""Of errors that redis-py has no class for: those that end when the server is seen to."""


def translated(error: Exception, where: object) -> ConnectError:
    """RetriableError for what passes, DataError for what is the fault of one command's data, ConnectError otherwise.

    `where` is the server that answered, or did not."""
    text = str(error).strip().rstrip(".") or type(error).__name__
    match error:
        case theirs.AuthenticationError() | theirs.AuthenticationWrongNumberOfArgsError() | theirs.AuthorizationError():
            return ConnectError(f"Redis at {where} refuses the login: {text}. Check redis.username and redis.password")
        case theirs.NoPermissionError():
            return ConnectError(f"Redis at {where} does not allow it: {text}. Grant it by ACL SETUSER")
        case theirs.OutOfMemoryError():
            return RetriableError(f"Redis at {where} has no memory left (maxmemory): {text}")
        case theirs.ReadOnlyError():
            return RetriableError(f"Redis at {where} is a replica, which cannot be written to: {text}")
        case theirs.MovedError() | theirs.AskError() | theirs.ClusterCrossSlotError():
            return ConnectError(f"Redis at {where} is a node of a cluster: set redis.cluster=true ({text})")
        case theirs.TryAgainError() | theirs.ClusterDownError() | theirs.RedisClusterException():
            return RetriableError(f"the Redis Cluster at {where} is not ready: {text}")
        case theirs.ResponseError():
            return _refusal(text, where)
        case _ if "CERTIFICATE_VERIFY_FAILED" in text:
            return ConnectError(f"the certificate of Redis at {where} is not believed: {text}. Check redis.cacert")
        case _:  # no connection, no answer in time, loading its data
            return RetriableError(f"Redis at {where} cannot be reached: {text}")


def _refusal(text: str, where: object) -> ConnectError:
    if text.startswith(_PASSING):
        return RetriableError(f"Redis at {where} cannot do it now: {text}")
    if text.lower().startswith("unknown command"):
        return ConnectError(f"Redis at {where} lacks a command: {text}. Is a module missing, or the server too old?")
    return DataError(f"Redis at {where} refuses it: {text}")
