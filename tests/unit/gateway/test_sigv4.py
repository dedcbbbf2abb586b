"""Signatures against AWS's own test vectors."""

from __future__ import annotations

from typing import Any

import pytest

from qwicket.gateway import sigv4
from support.for_each import for_each

# AWS's "Signature Version 4 test suite", case get-vanilla and its neighbours: credentials, scope
# and date are the same for all of them.
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
DATE = "20150830T123600Z"
CREDENTIAL = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEADERS = {"host": ["example.amazonaws.com"], "x-amz-date": [DATE]}
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
ORDERED = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"


def signature(value: str = VANILLA, names: str = "host;x-amz-date") -> sigv4.Signature:
    header = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders={names}, Signature={value}"
    found = sigv4.of_header(header, DATE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("query", "expected"), [("", VANILLA), ("Param2=value2&Param1=value1", ORDERED)]
)
def test_a_signature_is_that_of_awss_test_suite(query: str, expected: str) -> None:
    found = signature(expected)
    assert sigv4.sign(found, SECRET, "GET", "/", query, HEADERS, EMPTY) == expected


@for_each(
    "change",
    [
        {"method": "POST"},
        {"path": "/x"},
        {"query": "a=1"},
        {"payload_hash": "0" * 64},
        {"secret": SECRET + "x"},
        {"headers": {**HEADERS, "host": ["other.example"]}},
    ],
)
def test_every_part_of_a_request_is_signed(change: dict[str, object]) -> None:
    given: dict[str, Any] = {
        "secret": SECRET,
        "method": "GET",
        "path": "/",
        "query": "",
        "headers": HEADERS,
        "payload_hash": EMPTY,
        **change,
    }
    assert sigv4.sign(signature(), **given) != VANILLA


@for_each(
    "header",
    [
        "",
        "Bearer qw_x",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=00",
        f"AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature={VANILLA}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=Host, Signature={VANILLA}",
    ],
)
def test_a_malformed_header_is_no_signature(header: str) -> None:
    assert sigv4.of_header(header, DATE) is None


def test_a_malformed_date_is_no_signature() -> None:
    assert sigv4.of_header(f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}", "today") is None


def test_s3_signs_a_path_as_it_is_and_others_encode_it_once_more() -> None:
    path = "/device/arn%3Aaws"
    of_s3 = signature()._replace(service="s3")
    same = sigv4.sign(of_s3, SECRET, "GET", path, "", HEADERS, EMPTY)
    other = sigv4.sign(of_s3, SECRET, "GET", "/device/arn%253Aaws", "", HEADERS, EMPTY)
    assert same != other
    twice = sigv4.sign(signature(), SECRET, "GET", path, "", HEADERS, EMPTY)
    assert twice == sigv4.sign(
        signature()._replace(service="service"), SECRET, "GET", path, "", HEADERS, EMPTY
    )


def test_a_key_id_has_its_form() -> None:
    assert sigv4.is_key_id("QWAKA" + "B" * 15)
    for wrong in ("", "AKIDEXAMPLE", "QWAKA" + "B" * 14, "QWAKA" + "1" * 15, "qw_" + "x" * 43):
        assert not sigv4.is_key_id(wrong)
