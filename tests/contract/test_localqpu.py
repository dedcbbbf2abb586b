"""The contract tests of localqpu 0.3, from its source distribution, against our test bed.

`localqpu/adapter` maps its names and addresses to ours. What does not pass has its reason in
docs/reports/localqpu.md, whose tables this test compares with what it finds.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from contract.environments import ROOT, interpreter, source
from qwicket import testing
from support import leftovers

pytestmark = [pytest.mark.vendor, pytest.mark.extended, pytest.mark.timeout(600)]

SHA256: Final = "48e17f71c78ce429bfc9b0d388c574930ee7affd2050fa1cc763e259b0c0a64f"
REPORT: Final = ROOT / "docs" / "reports" / "localqpu.md"
ADAPTER: Final = Path(__file__).parent / "localqpu" / "adapter"
LEFT_OUT: Final = "test_paused_backend_warns"
"""It waits for a minute; see the report."""
IBM, BRAKET = "ibm/qiskit_ibm_runtime_0_51", "braket/amazon_braket_sdk_1_127"


def told() -> dict[str, bool]:
    """Return the tests of the report's tables, and whether each passes."""
    rows = re.findall(r"^\| `(test_\w+)` \| (\w+)", REPORT.read_text(), re.MULTILINE)
    return {name: result == "passes" for name, result in rows}


@pytest.mark.parametrize("suite", [IBM, BRAKET])
def test_its_contract_tests_do_what_the_report_says(suite: str, tmp_path: Path) -> None:
    folder = source("localqpu", "0.3.0", SHA256)
    files = sorted((folder / "tests" / "contract").glob("test_*.py"))
    files = [each for each in files if ("braket" in each.name) is (suite == BRAKET)]
    written = "\n".join(each.read_text() for each in files)
    names = set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    with testing.server() as cloud:
        env = {
            **leftovers.marks(),
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(ADAPTER), str(folder), str(ROOT / "src")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "QWICKET_URL": cloud.url,
            "QWICKET_TESTING_SECRET": cloud._secret,
            "LOCALQPU_EXTERNAL_PORT": cloud.url.rpartition(":")[2],
        }
        options = ["-q", "-p", "localqpu.pytest_plugin", "-p", "no:cacheprovider"]
        options += ["-c", os.devnull, "--rootdir", str(folder), "-k", f"not {LEFT_OUT}"]
        done = subprocess.run(
            [str(interpreter(suite)), "-m", "pytest", *options, "--junitxml=found.xml", *files],
            env=env, cwd=tmp_path, text=True, capture_output=True, check=False,
        )  # fmt: skip
    cases = [*ElementTree.parse(tmp_path / "found.xml").iter("testcase")]
    found = {str(each.get("name")): not len(each) for each in cases}
    expected = {name: passes for name, passes in told().items() if name in names}
    assert expected.keys() == names
    assert found == {name: each for name, each in expected.items() if name != LEFT_OUT}, done.stdout
