"""S3's lists of results of Braket's tasks over plain HTTP, of more tasks than are read at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

import httpx
import pytest

from support import braket
from support.server import LiveServer
from support.waiting import until

SPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
BUCKET: Final = "amazon-braket-lists"
PREFIXES: Final = ("late", "early", "early/inner")
TASKS: Final = 40


class Stored(NamedTuple):
    """A client whose account has results in a bucket, and their keys."""

    http: httpx.Client
    pair: str
    keys: list[str]

    def page(self, **query: Any) -> ElementTree.Element:
        answer = self.get(query)
        assert answer.status_code == 200, answer.text
        return ElementTree.fromstring(answer.text)

    def get(self, query: dict[str, Any]) -> httpx.Response:
        signed = braket.Signature(self.pair, "s3")
        named = {name.replace("_", "-"): value for name, value in query.items()}
        return self.http.get(f"/s3/{BUCKET}", params=named, auth=signed)


def keys_of(page: ElementTree.Element) -> list[str | None]:
    return [each.text for each in page.iter(f"{SPACE}Key")]


@pytest.fixture(scope="module")
def stored(server: LiveServer) -> Iterator[Stored]:
    name = server.unused("lister")
    server.token(name)
    pair = server.admin("token", "create", "--user", name, "--aws")
    with httpx.Client(base_url=server.url, timeout=60) as http:

        def submit(number: int) -> str:
            body = braket.body(
                outputS3Bucket=BUCKET,
                outputS3KeyPrefix=PREFIXES[number % len(PREFIXES)],
                clientToken=f"list {number}",
            )
            signed = braket.Signature(pair, "braket")
            answer = http.post("/braket/quantum-task", json=body, auth=signed)
            assert answer.status_code == 201, answer.text
            job = answer.json()["quantumTaskArn"].rpartition("/")[2]
            return f"{body['outputS3KeyPrefix']}/{job}/results.json"

        with ThreadPoolExecutor(4) as pool:
            keys = sorted(pool.map(submit, range(len(PREFIXES) * TASKS)))
        found = Stored(http, pair, keys)
        until(
            lambda: int(found.page(list_type=2).findtext(f"{SPACE}KeyCount") or 0) == len(keys),
            "all tasks have completed",
            timeout_s=60,
        )
        yield found


def test_all_results_are_listed_once_in_the_order_of_their_keys(stored: Stored) -> None:
    found: list[str | None] = []
    query: dict[str, Any] = {"list_type": 2, "max_keys": 50}
    sizes = []
    while True:
        page = stored.page(**query)
        found += keys_of(page)
        sizes.append(len(keys_of(page)))
        if page.findtext(f"{SPACE}IsTruncated") == "false":
            break
        query["continuation_token"] = page.findtext(f"{SPACE}NextContinuationToken")
    assert found == stored.keys
    assert sizes == [50, 50, 20]


def test_folders_are_common_prefixes(stored: Stored) -> None:
    def prefixes(page: ElementTree.Element) -> list[str | None]:
        return [each.findtext(f"{SPACE}Prefix") for each in page.iter(f"{SPACE}CommonPrefixes")]

    page = stored.page(delimiter="/")
    assert (prefixes(page), keys_of(page)) == (["early/", "late/"], [])
    inside = stored.page(delimiter="/", prefix="early/", max_keys=1, marker="early/i")
    assert prefixes(inside) == ["early/inner/"]
    assert inside.findtext(f"{SPACE}IsTruncated") == "false"


def test_the_folder_of_one_task_is_found(stored: Stored) -> None:
    for key in (stored.keys[0], stored.keys[-1]):
        folder = key.removesuffix("results.json")
        for query in ({"list_type": 2}, {}):
            assert keys_of(stored.page(prefix=folder, **query)) == [key]
            assert keys_of(stored.page(prefix=folder + "x", **query)) == []


def test_another_account_and_another_bucket_have_nothing(
    stored: Stored, server: LiveServer
) -> None:
    name = server.unused("stranger")
    server.token(name)
    pair = server.admin("token", "create", "--user", name, "--aws")
    assert keys_of(stored._replace(pair=pair).page(list_type=2)) == []
    signed = braket.Signature(stored.pair, "s3")
    other = stored.http.get("/s3/amazon-braket-none?list-type=2", auth=signed)
    assert keys_of(ElementTree.fromstring(other.text)) == []


def test_a_wrong_parameter_is_an_invalid_argument(stored: Stored) -> None:
    refused = stored.get({"max-keys": "many"})
    assert refused.status_code == 400
    assert "<Code>InvalidArgument</Code>" in refused.text
    assert 'max-keys must be a whole number from 0, not "many".' in refused.text
