"""Outcomes whose keys have one hash as integers: no dict on the server may hold them as such.

Python randomises hashes of texts and bytes, but an integer's is its remainder by 2⁶¹ - 1. A
Clifford circuit gives any number of outcomes with the remainder 0: of each pair of qubits 61 apart,
exactly one is 1. A dict of n of them takes time like n².
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from qwicket.circuits.frames import Frame
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import COUNTS, MEMORY, Outcome, int64_array, key_array
from qwicket.circuits.qubit import Register
from qwicket.drivers.remote import qwicket, results
from qwicket.pages import job
from support.pages import Person
from support.processes import cpu_s
from support.server import running_server

MODULUS = 2**61 - 1
N_BITS = 122
N_KEYS = 20_000
MAX_S = 1.0
"""Dicts of so many integers with one hash took 8 s in each case, those of others take 0.1 s."""
FRAME = Frame(registers=(Register("c", N_BITS),))
OPTIONS = RunOptions(shots=N_KEYS, seed=1, outputs=(COUNTS, MEMORY))
PROGRAM = f"""
OPENQASM 3; include "stdgates.inc"; qubit[{N_BITS}] q; bit[{N_BITS}] c;
for int i in [0:60] {{ h q[i]; cx q[i], q[i + 61]; x q[i + 61]; }}
c = measure q;
"""


def colliding(number: int) -> list[int]:
    """Return different keys of `N_BITS` bits that have the hash 0."""
    rng = Random(1)
    low = [rng.getrandbits(61) for _ in range(number)]
    keys = [bits | (MODULUS ^ bits) << 61 for bits in low]
    assert {hash(key) for key in keys} == {0}
    assert len({str(key) for key in keys}) == number
    return keys


def file_of_page(keys: list[int]) -> int:
    """Write the file of a result that the pages offer; return its number of lines."""
    data = b"".join(key.to_bytes(16, "little") for key in keys)
    ones = (b"\1" + bytes(7)) * len(keys)
    outcome = Outcome(
        registers=FRAME.registers,
        arrays={"keys": key_array(data, N_BITS), COUNTS: int64_array(ones)},
        engine="stim",
        engine_version="1",
        seed=0,
        seconds=0.0,
    )
    return job._csv(outcome).count(b"\n") - 1


def memory_of_another_cloud(keys: list[int]) -> int:
    """Read the shots of a job at another cloud; return the number of different keys."""
    shots = [results.key_of(key) for key in keys]
    read = results.of_bits(FRAME, OPTIONS, engine="there", memory=shots)
    return read.arrays["keys"].shape[0]


def counts_of_another_cloud(keys: list[int]) -> int:
    """Read the counts of a job at a device of another Qwicket."""
    counts = {f"{key:0{N_BITS}b}": 1 for key in keys}
    read = results.of_bits(
        FRAME, OPTIONS, engine="there", counts=qwicket._with_keys(counts), memory=[b""] * len(keys)
    )
    return read.arrays["keys"].shape[0]


@pytest.mark.parametrize("read", [file_of_page, memory_of_another_cloud, counts_of_another_cloud])
def test_keys_with_one_hash_take_no_longer_than_others(read: Callable[[list[int]], int]) -> None:
    keys, began = colliding(N_KEYS), time.process_time()
    assert read(keys) == N_KEYS
    assert time.process_time() - began < MAX_S


def test_a_user_can_make_such_a_result_and_the_server_shows_it(tmp_path: Path) -> None:
    with running_server(tmp_path) as live, Person(live, "collider") as person:
        made = person.submit(PROGRAM, "clifford", shots=N_KEYS)
        counts = made.result().counts
        assert len(counts) == N_KEYS
        assert {hash(int(key, 2)) for key in counts} == {0}
        paths = [
            *(f"/ui/jobs/{made.id}{path}" for path in ("", "/result.csv", "/archive.zip")),
            *(f"/v1/jobs/{made.id}{path}" for path in ("/result", "/parts/0", "/archive")),
        ]
        with live.client(person.token) as http:
            for path in paths:
                client = person.browser if path.startswith("/ui") else http
                began = cpu_s(live.process.pid)
                assert client.get(path).status_code == 200, path
                assert cpu_s(live.process.pid) - began < 2 * MAX_S, path
