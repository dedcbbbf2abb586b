from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from qwicket.model.ids import MAX_PARTS, JobRef, new_id, parse_id, part_id
from support.for_each import for_each

NOW = 1_760_000_000_000


def test_an_id_is_a_version_7_uuid_with_its_low_16_bits_zero() -> None:
    value = uuid.UUID(new_id(NOW))
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert value.int & 0xFFFF == 0
    assert value.int >> 80 == NOW


def test_ids_sort_by_time() -> None:
    ids = [new_id(NOW + i) for i in range(100)]
    assert sorted(ids) == ids


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_id(NOW) for _ in range(10_000)}) == 10_000


@given(st.integers(0, MAX_PARTS - 1))
def test_a_part_id_is_read_back(part: int) -> None:
    job = new_id(NOW)
    assert parse_id(part_id(job, part)) == JobRef(job, part)
    assert uuid.UUID(part_id(job, part)).int == uuid.UUID(job).int + part + 1


def test_a_job_id_is_read_back() -> None:
    job = new_id(NOW)
    assert parse_id(job) == JobRef(job, None)
    assert parse_id(job.upper()) == JobRef(job, None)


@for_each(
    "text",
    [
        "",
        "x",
        str(uuid.UUID(int=0)),
        "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "0199c82c-c000-7fa7-8647-dba8230b000",
        "0199c82cc0007fa78647dba8230b0000",
        "{199c82c-c000-7fa7-8647-dba8230b000}",
        "０199c82c-c000-7fa7-8647-dba8230b0000",
        "\0" * 36,
        "é" * 36,
        "urn:uuid:0199c82c-c000-7fa7-8647-dba8230b0000",
    ],
)
def test_a_text_that_is_no_id_of_ours_is_unknown(text: str) -> None:
    assert parse_id(text) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert parse_id(text) is None or len(text) == 36
