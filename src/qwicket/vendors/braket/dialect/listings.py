"""Lists of the objects in a bucket, in pages, as ListObjects and ListObjectsV2 of S3 return them.

A page has keys in the order of their UTF-8 bytes. With a delimiter, all keys with the same text up
to the first delimiter after the prefix count as one: their common prefix.
"""

from __future__ import annotations

import heapq
from base64 import b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from qwicket.dialects.validation import quoted
from qwicket.model.errors import NotOffered
from qwicket.vendors.braket.dialect.errors import invalid_argument, xml_text

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

MAX_KEYS: Final = 1_000
"""Greatest number of keys and common prefixes of one page."""
_V1_ONLY: Final = {"marker": "start-after"}
"""Parameters of ListObjects alone, and their replacements in ListObjectsV2."""
_V2_ONLY: Final = {"start-after": "marker", "continuation-token": "marker", "fetch-owner": None}
"""Parameters of ListObjectsV2 alone, and their replacements in ListObjects."""
# AWS's SDKs add `x-id`, the name of the operation.
_BOTH: Final = frozenset({"list-type", "prefix", "delimiter", "max-keys", "encoding-type", "x-id"})
PARAMETERS: Final = (
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "encoding-type",
    *_V1_ONLY,
    *_V2_ONLY,
)
_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_MAX_DIGITS: Final = 10
"""Digits of `max-keys`, a 32-bit number at S3."""


class ListQuery(NamedTuple):
    """A request for a page of a list.

    Attributes:
        bucket: Name of the bucket.
        prefix: Beginning of the keys.
        delimiter: Ends common prefixes; empty for none.
        after: Only keys and common prefixes after this one are listed.
        max_keys: Greatest number of keys and common prefixes together.
        is_v2: Whether it is ListObjectsV2.
        is_encoded: Whether keys and prefixes are to be percent-encoded.
        has_owner: Whether each object is to be shown with its owner.
        start_after: The parameter `start-after`, which is repeated in the response.
        token: The parameter `continuation-token`, which is repeated in the response.
    """

    bucket: str
    prefix: str
    delimiter: str
    after: str
    max_keys: int
    is_v2: bool
    is_encoded: bool
    has_owner: bool
    start_after: str | None
    token: str | None


class ListedObject(NamedTuple):
    """An object in a list.

    Attributes:
        key: Its key.
        modified_at: Time of its last change, as S3 writes it.
        owner: Number of the account that has it.
    """

    key: str
    modified_at: str
    owner: str


class Listing:
    """Collects the keys and common prefixes of one page; objects are added in any order.

    Args:
        query: The request.
    """

    def __init__(self, query: ListQuery) -> None:
        self._query = query
        self._found: dict[str, ListedObject | None] = {}  # None for a common prefix

    def add(self, listed: ListedObject) -> None:
        """Add an object if it is on the page, or may be."""
        query, key = self._query, listed.key
        if not key.startswith(query.prefix):
            return
        end = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        name = key if end < 0 else key[: end + len(query.delimiter)]
        if name > query.after:  # the order of code points is that of UTF-8
            self._found[name] = listed if end < 0 else None
        # Bounds the memory; a selection after every object would be slow.
        if len(self._found) > 4 * MAX_KEYS:
            self._found = {name: self._found[name] for name in self._first()}

    def _first(self) -> list[str]:
        """Return the names of this page and the first one of the next page, in order."""
        return heapq.nsmallest(self._query.max_keys + 1, self._found)

    def xml(self) -> str:
        """Return the page as S3's XML."""
        query, names = self._query, self._first() if self._query.max_keys else []
        is_truncated = len(names) > query.max_keys
        del names[query.max_keys :]
        head = [
            _element("Name", query.bucket),
            _element("Prefix", self._encoded(query.prefix)),
            _element("MaxKeys", str(query.max_keys)),
            _element("IsTruncated", str(is_truncated).lower()),
        ]
        if query.delimiter:
            head.append(_element("Delimiter", self._encoded(query.delimiter)))
        if query.is_encoded:
            head.append(_element("EncodingType", "url"))
        last = names[-1] if is_truncated else None
        head += self._v2_elements(last, len(names)) if query.is_v2 else self._v1_elements(last)
        objects = (found for name in names if (found := self._found[name]) is not None)
        prefixes = (name for name in names if self._found[name] is None)
        return "".join(
            [
                f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{_NAMESPACE}">',
                *head,
                *map(self._object, objects),
                *(
                    f"<CommonPrefixes>{_element('Prefix', self._encoded(name))}</CommonPrefixes>"
                    for name in prefixes
                ),
                "</ListBucketResult>",
            ]
        )

    def _v1_elements(self, last: str | None) -> list[str]:
        found = [_element("Marker", self._encoded(self._query.after))]
        # Without a delimiter S3 leaves out NextMarker: clients then continue after the last key.
        if last is not None and self._query.delimiter:
            found.append(_element("NextMarker", self._encoded(last)))
        return found

    def _v2_elements(self, last: str | None, count: int) -> list[str]:
        query, found = self._query, [_element("KeyCount", str(count))]
        if query.start_after is not None:
            found.append(_element("StartAfter", self._encoded(query.start_after)))
        if query.token is not None:
            found.append(_element("ContinuationToken", query.token))
        if last is not None:
            token = urlsafe_b64encode(last.encode()).decode()
            found.append(_element("NextContinuationToken", token))
        return found

    def _object(self, listed: ListedObject) -> str:
        owner = f"<Owner>{_element('ID', listed.owner)}</Owner>" if self._query.has_owner else ""
        return (
            f"<Contents>{_element('Key', self._encoded(listed.key))}"
            f"{_element('LastModified', listed.modified_at)}{owner}"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _encoded(self, text: str) -> str:
        return quote(text, safe="/") if self._query.is_encoded else text


def parse(bucket: str, query: QueryParams, maximum: int) -> ListQuery:
    """Return the request for a list that a query makes.

    Args:
        bucket: Name of the bucket.
        query: Parameters of the request.
        maximum: Greatest number of keys of one page, if it is below that of S3.

    Raises:
        NotOffered: A parameter asks for something else than the objects of a bucket.
        InvalidRequest: A parameter is malformed, or is one of the other version of the call.
    """
    if query.keys() - _BOTH - _V1_ONLY.keys() - _V2_ONLY.keys():
        raise NotOffered("Of a bucket, only its objects can be listed here.")
    version = query.get("list-type")
    if version not in (None, "2"):
        raise invalid_argument(f"list-type must be 2 or absent, not {quoted(version)}.")
    is_v2 = version is not None
    call, foreign = ("list-type=2", _V1_ONLY) if is_v2 else ("no list-type", _V2_ONLY)
    for name, instead in foreign.items():
        if name in query:
            advice = f"use {instead}" if instead else "leave it out"
            raise invalid_argument(f"{name} is not for requests with {call}: {advice}.")
    encoding = query.get("encoding-type")
    if encoding not in (None, "url"):
        raise invalid_argument(f"encoding-type must be url or absent, not {quoted(encoding)}.")
    token, start_after = query.get("continuation-token"), query.get("start-after")
    after = (start_after if is_v2 else query.get("marker")) or ""
    return ListQuery(
        bucket=bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        after=after if token is None else _position(token),
        max_keys=min(_max_keys(query.get("max-keys")), MAX_KEYS, maximum),
        is_v2=is_v2,
        is_encoded=encoding is not None,
        has_owner=not is_v2 or query.get("fetch-owner") == "true",
        start_after=start_after,
        token=token,
    )


def _max_keys(text: str | None) -> int:
    if text is None:
        return MAX_KEYS
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise invalid_argument(f"max-keys must be a whole number from 0, not {quoted(text)}.")
    return int(text)


def _position(token: str) -> str:
    """Return the key or common prefix after which a page begins."""
    try:
        found = b64decode(token.encode(), b"-_", validate=True).decode()
    except ValueError:  # the errors of both encodings
        found = ""
    if not found:
        raise invalid_argument(
            f"continuation-token must be the NextContinuationToken of a page, not {quoted(token)}."
        )
    return found


def _element(name: str, text: str) -> str:
    return f"<{name}>{xml_text(text)}</{name}>"
