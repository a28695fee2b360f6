"""TLS contexts from PEM texts."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from kconnect.security.key_stores import KeyEntry, KeyPasswordError, KeyStoreError


def set_key(context: ssl.SSLContext, entry: KeyEntry) -> None:
    """Have `context` show this certificate chain. Raises KeyStoreError where key and chain are damaged, do not belong
    together, or the key's password is wrong."""
    with _file_of(entry.key) as key_file, _file_of(entry.chain) as chain_file:
        try:
            # A password that is called for and missing must not make OpenSSL ask at the terminal.
            context.load_cert_chain(chain_file, key_file, lambda: entry.key_password or "")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise KeyStoreError("the private key does not belong to the first certificate of the chain") from error
            if entry.key.find("ENCRYPTED") >= 0:
                raise KeyPasswordError("the private key is damaged, or its password is wrong") from error
            raise KeyStoreError("there is no readable private key with its certificate chain") from error


def trust(context: ssl.SSLContext, certificates: str) -> None:
    """Have `context` believe certificates that one of these has signed. Raises KeyStoreError."""
    try:
        context.load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError) as error:
        raise KeyStoreError("there is no readable certificate") from error


@contextmanager
def _file_of(secret: str) -> Iterator[str]:
    """A file for OpenSSL, which takes keys from files only: in memory where the system has such, else private."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("pem")
        try:
            os.write(fd, secret.encode())
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # mode 0600
            file.write(secret)
            file.flush()
            yield file.name
