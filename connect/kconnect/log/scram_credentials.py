"""The users of SCRAM, kept salted and hashed in a file of the data folder that only its user can read."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from kconnect.log.errors import LogError
from kconnect.log.storage.atomic import replace_file
from kconnect.security.scram import MIN_ITERATIONS, ScramCredential, ScramMechanism

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILE = "scram-credentials.json"

_SALT_BYTES = 24


class ScramCredentials:
    """Credentials by user and mechanism, read when opened. Raises LogError where the file is damaged."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._users: dict[str, dict[str, ScramCredential]] = {}
        self._disguise = secrets.token_bytes(32)
        if not self._path.exists():
            return
        try:
            self._users = msgspec.json.decode(self._path.read_bytes(), type=dict[str, dict[str, ScramCredential]])
        except (OSError, msgspec.DecodeError) as e:
            raise LogError(
                f"{self._path} cannot be read: {e}; restore it from a backup, or remove it and its users"
            ) from e

    def users(self) -> Iterable[str]:
        return self._users.keys()

    def of(self, user: str) -> Mapping[ScramMechanism, ScramCredential]:
        """What the user can log in with; nothing for one who is not known."""
        return {ScramMechanism(name): credential for name, credential in self._users.get(user, {}).items()}

    def for_login(self, user: str, mechanism: ScramMechanism) -> ScramCredential:
        """The user's credential; for one who is not known, always the same one that nothing opens: a stranger does
        not learn whom there is."""
        known = self._users.get(user, {}).get(mechanism.value)
        if known is not None:
            return known
        salt = mechanism.mac(self._disguise, user.encode())[:_SALT_BYTES]
        return ScramCredential(
            salt=salt,
            stored_key=secrets.token_bytes(len(mechanism.digest(b""))),
            server_key=secrets.token_bytes(len(mechanism.digest(b""))),
            iterations=MIN_ITERATIONS,
        )

    def alter(self, changes: Mapping[tuple[str, ScramMechanism], ScramCredential | None]) -> None:
        """Set credentials, or remove those that are None, all of them or none; they are there after a power loss.

        Raises OSError.
        """
        users = {user: dict(credentials) for user, credentials in self._users.items()}
        for (user, mechanism), credential in changes.items():
            if credential is None:
                users.get(user, {}).pop(mechanism.value, None)
            else:
                users.setdefault(user, {})[mechanism.value] = credential
        users = {user: credentials for user, credentials in users.items() if credentials}
        replace_file(self._path, msgspec.json.encode(users), sync=True)
        self._users = users


def credential_of(mechanism: ScramMechanism, password: str, iterations: int = MIN_ITERATIONS) -> ScramCredential:
    """What is kept of a new password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return ScramCredential.of(mechanism, mechanism.salted_password(password, salt, iterations), salt, iterations)
