"""DescribeUserScramCredentials, AlterUserScramCredentials: who may log in by SCRAM."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.security.scram import MIN_ITERATIONS, ScramCredential, ScramMechanism

if TYPE_CHECKING:
    from kconnect.log.routing import Call
    from kconnect.log.scram_credentials import ScramCredentials

_MECHANISMS = {1: ScramMechanism.SHA_256, 2: ScramMechanism.SHA_512}
_NUMBERS = {mechanism: number for number, mechanism in _MECHANISMS.items()}
_MOST_ITERATIONS = 16_384
_LONGEST_NAME = 32_767

_Deletion = requests.AlterUserScramCredentials.ScramCredentialDeletion
_Upsertion = requests.AlterUserScramCredentials.ScramCredentialUpsertion
_Changes = dict[tuple[str, ScramMechanism], ScramCredential | None]


class ScramUsersApi:
    """Users are told, with iterations and never with salts; a change counts for logins that begin after it."""

    def __init__(self, credentials: ScramCredentials) -> None:
        self._credentials = credentials

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS, 0, 0, self.describe),
            Api(ApiKey.ALTER_USER_SCRAM_CREDENTIALS, 0, 0, self.alter),
        ]

    def describe(
        self, request: requests.DescribeUserScramCredentials, _: Call
    ) -> responses.DescribeUserScramCredentials:
        asked = Counter(user.name for user in request.users) if request.users else Counter(self._credentials.users())
        return responses.DescribeUserScramCredentials(
            results=[self._describe(user, count) for user, count in sorted(asked.items())]
        )

    def _describe(self, user: str, count: int) -> responses.DescribeUserScramCredentials.Result:
        result = responses.DescribeUserScramCredentials.Result(user=user)
        credentials = self._credentials.of(user)
        if count > 1:
            result.error_code = ErrorCode.DUPLICATE_RESOURCE
            result.error_message = f"user {user!r} is asked for {count} times"
        elif not credentials:
            result.error_code = ErrorCode.RESOURCE_NOT_FOUND
            result.error_message = f"there is no SCRAM user {user!r}"
        result.credential_infos = [
            responses.DescribeUserScramCredentials.CredentialInfo(
                mechanism=_NUMBERS[mechanism], iterations=credential.iterations
            )
            for mechanism, credential in credentials.items()
            if count == 1
        ]
        return result

    def alter(self, request: requests.AlterUserScramCredentials, _: Call) -> responses.AlterUserScramCredentials:
        """As in Kafka, a request alters one credential of a user; one of several is refused as all of them are."""
        changes: list[_Deletion | _Upsertion] = [*request.deletions, *request.upsertions]
        counts = Counter(change.name for change in changes)
        wanted: _Changes = {}
        refused: dict[str, RequestError] = {}
        for change in changes:
            try:
                if counts[change.name] > 1:
                    raise RequestError(ErrorCode.DUPLICATE_RESOURCE, "a user is altered twice by one request")
                mechanism, credential = self._checked(change)
                wanted[change.name, mechanism] = credential
            except RequestError as e:
                refused[change.name] = e
        if wanted:
            refused |= self._make(wanted)
        return responses.AlterUserScramCredentials(results=[_result(user, refused.get(user)) for user in counts])

    def _make(self, wanted: _Changes) -> dict[str, RequestError]:
        try:
            self._credentials.alter(wanted)
        except OSError as e:
            failure = RequestError(ErrorCode.KAFKA_STORAGE_ERROR, f"credentials cannot be stored: {e.strerror}")
            return {user: failure for user, _ in wanted}
        return {}

    def _checked(
        self,
        change: _Deletion | _Upsertion,
    ) -> tuple[ScramMechanism, ScramCredential | None]:
        """Raises RequestError."""
        if not 0 < len(change.name) <= _LONGEST_NAME:
            raise RequestError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "a user needs a name")
        mechanism = _MECHANISMS.get(change.mechanism)
        if mechanism is None:
            raise RequestError(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "the mechanism is none of SCRAM")
        if isinstance(change, _Deletion):
            if mechanism not in self._credentials.of(change.name):
                raise RequestError(
                    ErrorCode.RESOURCE_NOT_FOUND, f"{change.name!r} has no credential for {mechanism.value}"
                )
            return mechanism, None
        if not MIN_ITERATIONS <= change.iterations <= _MOST_ITERATIONS:
            raise RequestError(
                ErrorCode.UNACCEPTABLE_CREDENTIAL,
                f"{change.iterations} iterations: {MIN_ITERATIONS} to {_MOST_ITERATIONS} are possible",
            )
        salted = bytes(change.salted_password)
        if not change.salt or len(salted) != len(mechanism.digest(b"")):
            raise RequestError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "salt or salted password is not of this mechanism")
        return mechanism, ScramCredential.of(mechanism, salted, bytes(change.salt), change.iterations)


def _result(user: str, refusal: RequestError | None) -> responses.AlterUserScramCredentials.Result:
    result = responses.AlterUserScramCredentials.Result(user=user)
    if refusal is not None:
        result.error_code, result.error_message = refusal.code, refusal.message
    return result
