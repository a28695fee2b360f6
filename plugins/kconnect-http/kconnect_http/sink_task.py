"""The task of the HTTP sinks."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

from kconnect import Config, ConnectError, DataError, RetriableError, SinkRecord, SinkTask, TopicPartition
from kconnect_http.client import Answer, Client
from kconnect_http.outgoing import Outgoing, OutgoingBuilder
from kconnect_http.retries import retry_after_ms
from kconnect_http.sink_settings import SinkSettings

_LONGEST_PUT_S: Final = 60.0
"""A put that takes longer gives the framework its turn, and goes on where it was."""
_LONGEST_PAUSE_S: Final = 5.0
_LOGIN: Final = (401, 403, 407)
_ABOUT_THE_ENDPOINT: Final = (404, 405, 406, 410, 415, 501, 505)
"""What is no fault of a record, where every record goes to the same URL."""
_ABOUT_THE_MOMENT: Final = (408, 425, 429)
_TOO_LARGE: Final = 413

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Config)


class HttpTask(SinkTask[C]):
    """A record is done when its request was answered with 2xx, was refused and reported, or passed over as configured.

    Requests go out one after another, in the order of the records. One that has to be tried again ends the put with a
    RetriableError; the records before it are remembered, and are not sent again when the same are put again."""

    @abstractmethod
    def settings_of(self, config: C) -> SinkSettings:
        """ConfigError for what cannot be used."""

    def start(self, config: C) -> None:
        settings = self._settings = self.settings_of(config)
        self._client = Client(settings.client, settings.credentials, {})
        self._builder = OutgoingBuilder(settings, self._refuse)
        self._done: set[tuple[str, int, int]] = set()
        """Records of a put that was not finished, by where they were read."""
        self._tries = 0
        self._next_request = 0.0

    def put(self, records: Sequence[SinkRecord]) -> None:
        end = time.monotonic() + _LONGEST_PUT_S
        for request in self._builder.requests(self._to_send(records)):
            if time.monotonic() > end:
                self._later(RetriableError("more records than fit into one turn: it goes on in the next"), 0)
            self._pace()
            self._send(request)
        self._done.clear()

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        """What was sent and is not committed is sent again, by whoever has the partition then."""
        self._done.clear()
        self._tries = 0

    def stop(self) -> None:
        if hasattr(self, "_client"):
            self._client.close()

    def _to_send(self, records: Sequence[SinkRecord]) -> Sequence[SinkRecord]:
        if self._done:
            records = [record for record in records if _place(record) not in self._done]
        null_values = self._settings.null_values
        if null_values not in ("ignore", "log"):
            return records
        if null_values == "log":
            for record in records:
                if record.value is None:
                    log.warning("%s, key %r: has no value, and is passed over", where(record), record.key)
        return [record for record in records if record.value is not None]

    def _send(self, request: Outgoing) -> None:
        target, records, bodies = request
        batch = self._settings.batch
        if bodies[0] is None or batch is None:
            body = bodies[0]
        else:
            body = batch.join([each for each in bodies if each is not None])
        try:
            answer = self._client.send(target.method, target.url, dict(target.headers), body)
        except DataError as error:
            self._give_up(request, error)
            return
        except RetriableError as error:
            self._try_again(request, None, error)
        if 200 <= answer.status < 300:
            self._finished(records)
        else:
            self._judge(request, answer)

    def _judge(self, request: Outgoing, answer: Answer) -> None:
        status = answer.status
        said = f"{request.target.method}: {answer.told()}"
        if status in _LOGIN:
            raise ConnectError(f"{said}. Check the login (http.authorization.type, auth.type)")
        if status < 400:
            moved = answer.headers.get("location")
            raise ConnectError(
                f"{said}. {f'It leads to {moved}: give' if moved else 'Give'} the URL that takes records"
            )
        if status in self._settings.retry_on and not self._try_again(request, answer, RetriableError(said)):
            return
        if self._settings.url.fixed is not None and status in _ABOUT_THE_ENDPOINT:
            self._fail(request, ConnectError(f"{said}. Check the URL and the method"))
        elif status >= 500:
            self._fail(request, ConnectError(said))
        else:
            self._give_up(request, DataError(said), too_large=status == _TOO_LARGE)

    def _try_again(self, request: Outgoing, answer: Answer | None, error: RetriableError) -> bool:
        """Raises where it is tried again, or fails. Otherwise tries are used up, and it is to be seen (True) whether
        the record is at fault, or the request is passed over (False)."""
        settings = self._settings
        if answer is not None and (asked := retry_after_ms(answer.headers)) is not None:
            self._later(error, asked)
        self._tries += 1
        if settings.max_retries < 0 or self._tries <= settings.max_retries:
            self._later(error, settings.backoff.delay_ms(self._tries))
        tries, self._tries = self._tries, 0
        if answer is not None and 400 <= answer.status < 500 and answer.status not in _ABOUT_THE_MOMENT:
            return True
        if settings.again_ms is not None:
            self._later(error, settings.again_ms)
        given_up = ConnectError(f"{error} (tried {tries} times: max.retries, retry.backoff.ms)")
        if answer is None or settings.on_error == "fail":
            raise given_up from error
        self._fail(request, given_up)
        return False

    def _later(self, error: RetriableError, after_ms: int) -> NoReturn:
        self.context.timeout(after_ms)
        raise error

    def _give_up(self, request: Outgoing, error: DataError, *, too_large: bool = False) -> None:
        """Find out which records of a request are at fault, as far as anyone wants to know, and refuse these."""
        reported = self.context.errant_record_reporter is not None or self._settings.on_error != "fail"
        if len(request.records) > 1 and (too_large or reported):
            for half in request.halves():
                self._pace()
                self._send(half)
            return
        first, last = request.records[0], request.records[-1]
        if first is not last:
            raise DataError(f"{where(first)} to {where(last)}, in one request: {error}")
        self._refuse(first, error)

    def _fail(self, request: Outgoing, error: ConnectError) -> None:
        """An error that befalls the next record as well."""
        if self._settings.on_error == "fail":
            raise error
        log.warning("%s and %d more: passed over: %s", where(request.records[0]), len(request.records) - 1, error)
        self._finished(request.records)

    def _refuse(self, record: SinkRecord, error: DataError) -> None:
        named = DataError(f"{where(record)}: {error}")
        if self._settings.on_error != "fail":
            log.warning("passed over: %s", named)
        elif self.context.errant_record_reporter is None:
            raise named from error
        else:
            self.context.errant_record_reporter.report(record, named)
        self._finished([record])

    def _finished(self, records: Sequence[SinkRecord]) -> None:
        self._tries = 0
        self._done.update(map(_place, records))

    def _pace(self) -> None:
        """Wait until the rate allows one more request."""
        if self._settings.requests_per_s <= 0:
            return
        now = time.monotonic()
        wait_s = self._next_request - now
        if wait_s > _LONGEST_PAUSE_S:
            self._later(RetriableError("the rate limit of requests is reached"), round(wait_s * 1000))
        if wait_s > 0:
            time.sleep(wait_s)
        self._next_request = max(self._next_request, now) + 1 / self._settings.requests_per_s


def where(record: SinkRecord) -> str:
    return f"{record.original_topic}-{record.original_partition}@{record.original_offset}"


def _place(record: SinkRecord) -> tuple[str, int, int]:
    return record.original_topic, record.original_partition, record.original_offset
