from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import qwicket
from qwicket.model.limits import SHARED, Limits, PhotonicLimits
from qwicket.server.settings import own_limits
from qwicket.vendors.ibm.limits import IBMLimits

pytestmark = pytest.mark.needs_vendors


BY_NAME = {
    *("bodies_bytes", "bodies_bytes_each"),
    *("bodies_before_sign_in_bytes", "bodies_before_sign_in_bytes_each"),
    *("member_waiting_jobs", "stored_bytes", "member_stored_bytes"),
}
"""Read with `getattr`, or by a property of their group."""
NAMES = [name for each in (*SHARED.values(), *own_limits()) for name in each.__struct_fields__]


def limits_read() -> Iterator[str]:
    """Yield what the sources read: `limits.jobs.NAME`, `limits.of(…).NAME`, `self._own.NAME`."""
    for path in Path(qwicket.__file__).parent.rglob("*.py"):
        if path.name == "limits.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                of = node.value.func if isinstance(node.value, ast.Call) else node.value
                owner = getattr(of, "attr", getattr(of, "id", ""))
                if owner.endswith(("limits", "bounds", "own")) or owner in {*SHARED, "of"}:
                    yield node.attr


def test_no_limit_is_left_unread() -> None:
    """That each is enforced is tested where it is: this finds one that nothing asks for."""
    assert set(NAMES) - set(limits_read()) == BY_NAME


def test_a_name_is_in_one_group_only() -> None:
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []


def test_limits_are_set_by_name_wherever_they_are_declared() -> None:
    limits = Limits.from_names(IBMLimits, shots=5, unfinished_jobs=3)
    assert (limits.jobs.shots, limits.jobs.qubits) == (5, 29)
    assert (limits.of(IBMLimits).unfinished_jobs, limits.of(IBMLimits).sockets) == (3, 2_000)
    assert Limits().of(IBMLimits).unfinished_jobs == -1
    with pytest.raises(TypeError, match="unfinished_jobs"):
        Limits.from_names(unfinished_jobs=3)


def test_photonic_limits_of_jobs_stored_before_modes_and_time_bins_are_read() -> None:
    stored = msgspec.msgpack.encode([2.5, 20.0, 20, 100_000, 25.0, 60.0, 8])
    assert msgspec.msgpack.decode(stored, type=PhotonicLimits) == PhotonicLimits(amplitudes=8)
