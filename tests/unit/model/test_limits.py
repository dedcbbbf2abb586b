from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import qwicket
from qwicket.circuits.photonic import PhotonicBounds
from qwicket.model.limits import Limits

SOURCES = [
    ast.parse(path.read_text("utf-8"))
    for path in Path(qwicket.__file__).parent.rglob("*.py")
    if path.name != "limits.py"
]
BY_NAME = {
    *("bodies_bytes", "bodies_bytes_each"),
    *("unsigned_bodies_bytes", "unsigned_bodies_bytes_each"),
}
"""Read with `getattr`."""


def limits_read() -> Iterator[str]:
    """Yield what the sources read of limits: `limits.NAME`, `self._limits.NAME`."""
    for tree in SOURCES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
                if owner.lower().endswith(("limits", "bounds")):
                    yield node.attr


def test_no_limit_is_left_unread() -> None:
    """That each is enforced is tested where it is: this finds one that nothing asks for."""
    assert set(Limits.__struct_fields__) - set(limits_read()) == BY_NAME


def test_what_an_operator_sets_travels_with_the_job() -> None:
    assert PhotonicBounds.of(Limits()) == PhotonicBounds()
    few = PhotonicBounds.of(Limits(amplitudes=8, counted_photons=1.5))
    assert (few.amplitudes, few.counted_photons, few.squeezing) == (8, 1.5, 2.5)
