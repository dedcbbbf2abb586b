"""Pages of S3's lists, against AWS's description of ListObjects and ListObjectsV2."""

from __future__ import annotations

from itertools import chain
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from qwicket.model.errors import InvalidRequest, NotOffered
from qwicket.vendors.braket.dialect.errors import s3_body
from qwicket.vendors.braket.dialect.listings import ListedObject, Listing, parse

SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
KEYS = ["a/1/r", "a/2/r", "b", "b/1/r", "c d/é&<", "z"]


def page(keys: list[str], **query: Any) -> dict[str, Any]:
    """Return a page of a list: each element's text, and those that may be there several times."""
    named = {name.replace("_", "-"): str(value) for name, value in query.items()}
    listing = Listing(parse("bucket", QueryParams(named), 1000))
    for key in keys:
        listing.add(ListedObject(key, "2026-01-31T12:00:00.000Z", "123456789012"))
    root = ElementTree.fromstring(listing.xml())
    found = {each.tag.removeprefix(SPACE): each.text or "" for each in root}
    entries: dict[str, Any] = {
        "keys": [each.findtext(f"{SPACE}Key") for each in root.iter(f"{SPACE}Contents")],
        "prefixes": [
            each.findtext(f"{SPACE}Prefix") for each in root.iter(f"{SPACE}CommonPrefixes")
        ],
        "owners": [each.text for each in root.iter(f"{SPACE}ID")],
    }
    return found | entries


def test_all_keys_are_in_the_order_of_their_bytes() -> None:
    found = page(KEYS[::-1], list_type=2)
    assert found["keys"] == sorted(KEYS)
    assert (found["KeyCount"], found["IsTruncated"], found["MaxKeys"]) == ("6", "false", "1000")
    assert "NextContinuationToken" not in found


def test_a_page_of_v2_continues_at_its_token() -> None:
    first = page(KEYS, list_type=2, max_keys=4)
    assert (first["keys"], first["IsTruncated"]) == (KEYS[:4], "true")
    token = first["NextContinuationToken"]
    rest = page(KEYS, list_type=2, max_keys=4, continuation_token=token, start_after="zz")
    assert (rest["keys"], rest["IsTruncated"]) == (KEYS[4:], "false")
    assert (rest["ContinuationToken"], rest["StartAfter"]) == (token, "zz")


def test_a_page_of_v1_continues_at_its_last_key() -> None:
    """AWS has NextMarker only with a delimiter."""
    first = page(KEYS, max_keys=4)
    assert (first["keys"], first["IsTruncated"], first["Marker"]) == (KEYS[:4], "true", "")
    assert first.keys().isdisjoint({"NextMarker", "KeyCount", "NextContinuationToken"})
    rest = page(KEYS, max_keys=4, marker=KEYS[3])
    assert (rest["keys"], rest["IsTruncated"], rest["Marker"]) == (KEYS[4:], "false", KEYS[3])


def test_keys_roll_up_to_common_prefixes_which_count_as_one_key_each() -> None:
    first = page(KEYS, delimiter="/", max_keys=3)
    assert (first["prefixes"], first["keys"]) == (["a/", "b/"], ["b"])
    assert (first["IsTruncated"], first["NextMarker"], first["Delimiter"]) == ("true", "b/", "/")
    rest = page(KEYS, delimiter="/", max_keys=3, marker="b/")
    assert (rest["prefixes"], rest["keys"], rest["IsTruncated"]) == (["c d/"], ["z"], "false")
    assert page(KEYS, delimiter="/", list_type=2)["KeyCount"] == "5"
    assert page(KEYS, delimiter="/", prefix="a/")["prefixes"] == ["a/1/", "a/2/"]


def test_a_prefix_and_a_beginning_restrict_the_keys() -> None:
    assert page(KEYS, list_type=2, prefix="b")["keys"] == ["b", "b/1/r"]
    assert page(KEYS, list_type=2, start_after="b")["keys"] == KEYS[3:]
    assert page(KEYS, list_type=2, start_after="b", prefix="b")["keys"] == ["b/1/r"]


@pytest.mark.parametrize(("asked", "maximum"), [(5000, 1000), (1000, 1000), (None, 1000), (7, 7)])
def test_a_page_has_at_most_1000_keys(asked: int | None, maximum: int) -> None:
    keys = [f"{number:05}" for number in range(6000)]
    found = page(keys, list_type=2, **({} if asked is None else {"max_keys": asked}))
    assert found["keys"] == keys[:maximum]
    assert (found["MaxKeys"], found["IsTruncated"]) == (str(maximum), "true")


def test_a_list_of_no_keys_is_empty_and_complete() -> None:
    found = page(KEYS, list_type=2, max_keys=0)
    assert (found["keys"], found["IsTruncated"], found["KeyCount"]) == ([], "false", "0")


def test_keys_are_percent_encoded_on_request() -> None:
    odd = "a b/é&<\x07+/r"
    found = page([odd], list_type=2, encoding_type="url", prefix="a b", delimiter="x")
    assert (found["EncodingType"], found["Prefix"]) == ("url", "a%20b")
    assert [unquote(key) for key in found["keys"]] == [odd]


def test_owners_are_shown_in_v1_and_on_request() -> None:
    assert page(["a"])["owners"] == ["123456789012"]
    assert page(["a"], list_type=2)["owners"] == []
    assert page(["a"], list_type=2, fetch_owner="true")["owners"] == ["123456789012"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"max-keys": "-1"}, 'max-keys must be a whole number from 0, not "-1".'),
        ({"max-keys": "many"}, 'max-keys must be a whole number from 0, not "many".'),
        ({"max-keys": "9" * 5000}, "max-keys must be a whole number from 0, not"),
        ({"list-type": "3"}, 'list-type must be 2 or absent, not "3".'),
        ({"encoding-type": "xml"}, 'encoding-type must be url or absent, not "xml".'),
        (
            {"list-type": "2", "continuation-token": "é"},
            'continuation-token must be the NextContinuationToken of a page, not "é".',
        ),
        (
            {"list-type": "2", "continuation-token": ""},
            'continuation-token must be the NextContinuationToken of a page, not "".',
        ),
        (
            {"list-type": "2", "marker": "a"},
            "marker is not for requests with list-type=2: use start-after.",
        ),
        (
            {"start-after": "a"},
            "start-after is not for requests with no list-type: use marker.",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(query: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse("bucket", QueryParams(query), 1000)
    assert refused.value.detail.startswith(said)
    assert b"<Code>InvalidArgument</Code>" in s3_body(refused.value)


def test_other_parts_of_a_bucket_are_not_offered() -> None:
    with pytest.raises(NotOffered):
        parse("bucket", QueryParams({"versions": ""}), 1000)


_TEXTS = st.text(alphabet="ab/", max_size=6)


@given(
    st.sets(_TEXTS.filter(bool), max_size=30),
    _TEXTS,
    st.sampled_from(["", "/", "a", "/a"]),
    st.integers(1, 5),
    st.booleans(),
)
def test_all_pages_together_have_each_key_once(
    keys: set[str], prefix: str, delimiter: str, size: int, is_v2: bool
) -> None:
    """The whole list follows from AWS's text: roll up, then sort."""
    own = sorted(key for key in keys if key.startswith(prefix))
    rolled = {
        key: prefix + rest.partition(delimiter)[0] + delimiter
        for key in own
        if delimiter and delimiter in (rest := key.removeprefix(prefix))
    }
    query: dict[str, Any] = {"prefix": prefix, "delimiter": delimiter, "max_keys": size}
    pages = []
    while True:
        pages.append(found := page(list(keys), **query, **({"list_type": 2} if is_v2 else {})))
        if found["IsTruncated"] == "false":
            break
        assert len(found["keys"]) + len(found["prefixes"]) == size
        if is_v2:
            query["continuation_token"] = found["NextContinuationToken"]
        else:
            query["marker"] = found.get("NextMarker") or found["keys"][-1]
    assert list(chain.from_iterable(each["keys"] for each in pages)) == [
        key for key in own if key not in rolled
    ]
    assert list(chain.from_iterable(each["prefixes"] for each in pages)) == sorted(
        set(rolled.values())
    )
