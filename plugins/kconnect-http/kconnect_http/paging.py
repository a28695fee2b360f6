"""From one page to the next: by links, tokens and numbers."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from kconnect import ConnectError
from kconnect_http.client import Answer, Client, joined
from kconnect_http.pointer import Pointer, scalar_text

PagingKind = Literal["none", "link", "next", "cursor", "page", "offset"]

_LINK: Final = re.compile(r"<([^>]*)>((?:\s*;\s*[^,;=]+(?:=(?:\"[^\"]*\"|[^,;]*))?)*)")
_REL: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^;\s]+))", re.IGNORECASE)


class Paging(ABC):
    """A page is named by a text, the first one by None."""

    resumable = False
    """Whether the name of a page still means it after a while, so that a round can go on from there."""

    def url(self, url: str, page: str | None, client: Client) -> str:
        """Where to get `page`, `url` being where to get the first. ConnectError where it may not be gone to."""
        return url

    @abstractmethod
    def following(self, page: str | None, answer: Answer, document: Any, count: int) -> str | None:
        """The page after `page`, whose answer had `count` records; None when that was the last."""


class SinglePage(Paging):
    def following(self, page: str | None, answer: Answer, document: Any, count: int) -> str | None:
        return None


class LinkedPages(Paging):
    """The URL of the next page is in the header Link (RFC 8288), or where `pointer` says."""

    resumable = True

    def __init__(self, pointer: Pointer | None) -> None:
        self._pointer = pointer

    def url(self, url: str, page: str | None, client: Client) -> str:
        if page is None:
            return url
        client.check(page, url, "the link to the next page")
        return page

    def following(self, page: str | None, answer: Answer, document: Any, count: int) -> str | None:
        if self._pointer is None:
            found = next_link(answer.headers.get("link", ""))
        else:
            found = self._pointer.of(document)
            if found is not None and not isinstance(found, str):
                raise ConnectError(f"{answer.url}: {self._pointer.text} is no URL of a next page but {found!r}")
        if not found:
            return None
        target = joined(answer.url, found)
        if target == page:
            raise ConnectError(f"the page {target} has itself as its next page")
        return target


class TokenPages(Paging):
    """Each answer has a token for the next page, which goes into the parameter `name`."""

    resumable = True

    def __init__(self, pointer: Pointer, name: str) -> None:
        self._pointer = pointer
        self._name = name

    def url(self, url: str, page: str | None, client: Client) -> str:
        return url if page is None else with_parameter(url, self._name, page)

    def following(self, page: str | None, answer: Answer, document: Any, count: int) -> str | None:
        found = scalar_text(self._pointer.of(document))
        if found is not None and found == page:
            raise ConnectError(f"{answer.url}: {self._pointer.text} is the token of the page itself, {found!r}")
        return None if found in (None, "", "false") else found


class NumberedPages(Paging):
    """The parameter `name` counts pages from `start`, or records (`by_records`). The last page has no records, or fewer
    than `size`."""

    def __init__(self, name: str, start: int, size: int | None, *, by_records: bool) -> None:
        self._name = name
        self._start = start
        self._size = size
        self._by_records = by_records

    def url(self, url: str, page: str | None, client: Client) -> str:
        return with_parameter(url, self._name, page or str(self._start))

    def following(self, page: str | None, answer: Answer, document: Any, count: int) -> str | None:
        if count == 0 or (self._size is not None and count < self._size):
            return None
        return str(int(page or self._start) + (count if self._by_records else 1))


def next_link(header: str) -> str | None:
    """The target of the relation `next` in a header Link."""
    for match in _LINK.finditer(header):
        rel = _REL.search(match[2])
        if rel is not None and "next" in (rel[1] or rel[2]).lower().split():
            return match[1]
    return None


def with_parameter(url: str, name: str, value: str) -> str:
    return with_query(url, urlencode({name: value}))


def with_query(url: str, query: str) -> str:
    if not query:
        return url
    parts = urlsplit(url)
    return parts._replace(query=f"{parts.query}&{query}" if parts.query else query).geturl()
