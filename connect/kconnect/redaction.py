"""Keeps secrets out of what a process says: its log, its traces, its answers.

One set of known secrets per process: every `Password` that is made in it, what config providers gave, and what is
`learn`ed besides (a token that a plugin fetched, say). `redact` puts `[hidden]` in their places, and in those of
passwords in URLs and `password=` settings whether they are known or not.

What is shorter than 4 characters is not looked for; what is shorter than 8 is hidden where it stands alone, and not
within words; longer secrets are hidden wherever they are, also as URLs, JSON and Python's `repr` write them. Of a
secret of several lines, such as a key in PEM, each line counts.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator

HIDDEN = "[hidden]"

_SHORTEST = 4
_SHORTEST_IN_WORDS = 8
_SHORTEST_LINE = 16
_MOST = 2000
"""Secrets that are kept at a time: the oldest go first."""

_REFERENCE = re.compile(r"\$\{[^{}]+\}")
# Texts of strangers are redacted on the worker's event loop: a pattern's work grows with the text's length, not with
# its square. What may begin anew before it ends (a `jdbc:oracle:` in a `jdbc:oracle:`) has a greatest length therefore.
_WORDS = r"(?:password|passwd|pwd|passphrase|secret|token|api[._-]?key|access[._-]?key)"
_URL_LOGIN = re.compile(r"(?P<before>://[^/?#:@\s]*:)(?P<secret>[^/?#\s]+)(?=@)")
_ORACLE_LOGIN = re.compile(
    r"(?P<before>jdbc:oracle:\w{1,32}:[^/@\s]{0,256}/)(?P<secret>[^@\s]{1,256})(?=@)", re.IGNORECASE
)
_URL_PARAMETER = re.compile(
    rf"(?P<before>[?&;][^?=&;#\s]{{0,128}}?{_WORDS}[^?=&;#\s]{{0,128}}=)(?P<secret>\{{[^}}]{{0,1024}}\}}|[^&;#\s]+)",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"(?P<before>(?:password|passwd|pwd|passphrase)=)(?P<secret>\$\{[^}]{0,1024}\}|\[hidden\]|'[^']*'|\"[^\"]*\"|[^\s&;,'\")\]}]+)",
    re.IGNORECASE,
)


class Redactor:
    """A set of secrets and what hides them. May be used by any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._given: dict[str, None] = {}
        self._forms: tuple[str, ...] = ()
        """What is looked for, the longest first: a secret may be a part of another one."""
        self._listener: Callable[[list[str]], None] | None = None

    def learn(self, secrets: Collection[str]) -> None:
        """Hide these from now on; those that are too short are passed over."""
        new = [
            secret
            for secret in map(str.strip, secrets)
            if len(secret) >= _SHORTEST and secret not in HIDDEN and secret not in self._given
        ]
        if not new:
            return
        with self._changing:
            self._given |= dict.fromkeys(new)
            for oldest in list(self._given)[: len(self._given) - _MOST]:
                del self._given[oldest]
            forms = {form for secret in self._given for form in _forms(secret)}
            self._forms = tuple(sorted(forms, key=len, reverse=True))
        if self._listener is not None:
            self._listener(new)

    def tell(self, listener: Callable[[list[str]], None]) -> None:
        """Call `listener` with what is known, now, and with what is learned from now on, by the thread that does."""
        self._listener = listener
        if self._given:
            listener(list(self._given))

    def redact(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = _without(form, text)
        if "://" in text or "jdbc:" in text:
            text = hide_in_url(text)
        return _SETTING.sub(_hide, text) if "=" in text else text


def hide_in_url(value: str) -> str:
    """`value` with the passwords of URLs, in logins and parameters, as `[hidden]`. What refers to a config provider is
    left, and so is all that is no URL."""
    if not is_url(value):
        return value
    for pattern in (_URL_LOGIN, _ORACLE_LOGIN, _URL_PARAMETER):
        value = pattern.sub(_hide, value)
    return value


def is_url(value: str) -> bool:
    """Whether there is a URL, or what JDBC takes for one, in `value`."""
    return "://" in value or "jdbc:" in value


def is_reference(value: str) -> bool:
    """Whether `value` is but a variable that a config provider replaces."""
    return _REFERENCE.fullmatch(value) is not None


def _hide(match: re.Match[str]) -> str:
    kept = match["secret"] == HIDDEN or is_reference(match["secret"])
    return match[0] if kept else match["before"] + HIDDEN


def _without(form: str, text: str) -> str:
    if len(form) >= _SHORTEST_IN_WORDS:
        return text.replace(form, HIDDEN)
    return re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", HIDDEN, text)


def _forms(secret: str) -> Iterator[str]:
    """How a secret may be written."""
    import json
    from urllib.parse import quote, quote_plus

    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))


process_redactor = Redactor()
"""This process's own."""
