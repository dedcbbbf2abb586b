"""How `make tests-of` finds the tests of a module without having run them."""

from __future__ import annotations

import pytest
from tools.tests_of import ROOT, further_patterns, mirrored

SOURCE = ROOT / "src" / "qwicket"


@pytest.mark.needs_vendors
def test_the_table_of_further_tests_names_every_package_and_tests_that_exist(
    subtests: pytest.Subtests,
) -> None:
    rows = further_patterns()
    for modules, tests in rows:
        with subtests.test(modules[0]):
            for pattern in modules:
                assert [*SOURCE.glob(f"{pattern}*")], pattern
            for pattern in tests:
                assert [*ROOT.glob(f"tests/{pattern}")], pattern
    named = {pattern.split("/")[0] for modules, _ in rows for pattern in modules}
    assert named == {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_the_mirrored_tests_of_a_module() -> None:
    assert mirrored(SOURCE / "store" / "leases.py") == "tests/unit/store/test_leases.py"
    assert mirrored(SOURCE / "store" / "rows.py") is None
