"""JAAS entries, the form of Java's `sasl.jaas.config`: `<login module> required <option>="<value>" …;`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECURITY = "org.apache.kafka.common.security."
PLAIN_MODULE = _SECURITY + "plain.PlainLoginModule"
SCRAM_MODULE = _SECURITY + "scram.ScramLoginModule"
OAUTHBEARER_MODULE = _SECURITY + "oauthbearer.OAuthBearerLoginModule"
KERBEROS_MODULE = "com.sun.security.auth.module.Krb5LoginModule"

_ENTRY = re.compile(r"\s*([\w.$]+)\s+(?:required|requisite|sufficient|optional)\b", re.I)
_OPTION = re.compile(r"""\s*([\w.\-@]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))""", re.S)


class JaasError(Exception):
    """The text is no JAAS entry: `args` are the reason and what to write instead, without a value of it."""

    def __init__(self, reason: str, suggestion: str) -> None:
        super().__init__(reason, suggestion)
        self.reason = reason
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class JaasEntry:
    """A login module by its class name, with its options."""

    module: str
    options: dict[str, str]

    def __repr__(self) -> str:
        return f"JaasEntry({self.module})"  # options are secrets


def parse(text: str) -> JaasEntry:
    """One entry. Raises JaasError."""
    entry = _ENTRY.match(text)
    if entry is None:
        raise JaasError("not a JAAS entry", 'write: <login module> required <option>="<value>" …;')
    options: dict[str, str] = {}
    position = entry.end()
    while option := _OPTION.match(text, position):
        quoted = option[2] if option[2] is not None else option[3]
        options[option[1]] = option[4] if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.S)
        position = option.end()
    if text[position:].strip() != ";":
        raise JaasError(
            f"the JAAS entry cannot be read after character {position}",
            'options are name="value" with blanks between, and a semicolon ends the entry',
        )
    return JaasEntry(entry[1], options)
