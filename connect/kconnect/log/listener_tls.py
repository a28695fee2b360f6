"""The TLS of a listener, which follows its key stores: certificates are renewed while the broker runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from kconnect.log.errors import ListenerError
from kconnect.log.tls_settings import server_context, store_files

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

_LOG = logging.getLogger(__name__)


class ListenerTls:
    """`context` is what new clients are met with. Raises ListenerError that names the key, for settings and stores."""

    context: ssl.SSLContext

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = dict(settings)
        self._seen = self._look()
        self.context = server_context(settings)

    def refresh(self) -> None:
        """Read the stores again where their files have changed. Those that cannot be used are told of once, and what
        was read before goes on."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.context = server_context(self._settings)
        except ListenerError as e:
            _LOG.error("the changed key stores are not used, the old certificates go on: %s", e)
        else:
            _LOG.info("certificates were read anew: %s", ", ".join(store_files(self._settings)))

    def _look(self) -> list[tuple[int, int, int] | None]:
        """What tells one version of each file from another; None where it is not there for now."""
        found: list[tuple[int, int, int] | None] = []
        for file in store_files(self._settings):
            try:
                status = Path(file).stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return found
