"""Which tests run a module.

`make tests-of FILE=src/qwicket/…py` prints the test files that run its functions, from contexts of
coverage.py under build/contexts. `RENEW=1` records these again, from all unit tests, which takes
minutes; `RENEW=tests/unit/store` does so for a folder or a file. Servers that tests start are not
recorded. Tests of those are in `further_tests.toml`.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from tools import contexts

ROOT: Final = Path(__file__).parents[1]
RECORDS: Final = ROOT / "build" / "contexts"
FURTHER: Final = Path(__file__).with_name("further_tests.toml")
UNIT_TESTS: Final = "tests/unit"
PACKAGE: Final = ROOT / "src" / "qwicket"


def module_path(text: str) -> Path:
    """Return the absolute path of a module of the package."""
    path = Path(text).resolve()
    if not path.is_file() or not path.is_relative_to(PACKAGE):
        raise argparse.ArgumentTypeError(f"{text} is no module below {PACKAGE.relative_to(ROOT)}")
    return path


def mirrored(module: Path) -> str | None:
    """Return the unit tests at the module's place, if there are any."""
    place = module.relative_to(PACKAGE)
    if place.parts[0] in {"features", "vendors"}:  # tests/vendors/NAME/unit/…
        place, units = Path(*place.parts[2:]), ROOT / "tests" / Path(*place.parts[:2]) / "unit"
    else:
        units = ROOT / "tests" / "unit"
    names = [f"test_{place.stem}.py"]
    if place.stem == "__init__":
        names = [f"../test_{place.parent.name}.py", f"test_{place.parent.name}.py"]
    for name in names:
        path = (units / place.parent / name).resolve()
        if path.is_file():
            return path.relative_to(ROOT).as_posix()
    return None


def tests_that_run(module: Path) -> list[str]:
    """Return the recorded tests that run a function of the module; files of a shared fixture."""
    inside = _lines_of_functions(module)
    found = set[str]()
    for line, tests in contexts.tests_by_line(RECORDS, module).items():
        if line in inside:  # the other lines run once, in the test that happens to import it
            found |= tests
    return sorted(filter(exists, found))


def exists(test: str) -> bool:
    """Return whether a recorded test is still there, as far as its name tells."""
    path, *names = test.split("::")
    file = ROOT / path
    return file.is_file() and (not names or f"def {names[-1]}(" in file.read_text())


def is_outdated(module: Path) -> bool:
    """Return whether a module is newer than the records, whose lines may then be others."""
    return contexts.at_s(RECORDS) < module.stat().st_mtime


def _lines_of_functions(module: Path) -> set[int]:
    lines = set[int]()
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
    return lines


def further_patterns() -> list[tuple[list[str], list[str]]]:
    """Return the tables of `further_tests.toml`: beginnings of modules, and tests."""
    tables = tomllib.loads(FURTHER.read_text("utf-8"))["further"]
    return [(each["modules"], each["tests"]) for each in tables]


def further_tests(module: Path) -> list[str]:
    """Return the test files that `further_tests.toml` names for a module."""
    place = module.relative_to(PACKAGE).as_posix()
    patterns = [
        pattern
        for modules, tests in further_patterns()
        if any(fnmatch(place, f"{each}*") for each in modules)
        for pattern in tests
    ]
    files = (path for pattern in patterns for path in sorted(ROOT.glob(f"tests/{pattern}")))
    return list(dict.fromkeys(path.relative_to(ROOT).as_posix() for path in files))


def renew(tests: str) -> None:
    """Run tests, and record what each runs; records of other tests stay."""
    if tests == UNIT_TESTS:
        shutil.rmtree(RECORDS, ignore_errors=True)
    RECORDS.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile", tests),
        *("-p", "tools.contexts", "--contexts", str(RECORDS)),
    ]
    # Recording slows tests down, and a test that fails has run what it has run.
    subprocess.run(command, cwd=ROOT, check=False)
    contexts.combine(RECORDS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Which tests run a module")
    parser.add_argument("file", type=module_path)
    parser.add_argument("--renew", metavar="TESTS", help="record these tests first")
    arguments = parser.parse_args()
    if arguments.renew or not contexts.at_s(RECORDS):
        renew(arguments.renew or UNIT_TESTS)
    own = mirrored(arguments.file)
    counts = Counter(test.split("::")[0] for test in tests_that_run(arguments.file))
    if own is not None:
        counts.setdefault(own, 0)
    for path in sorted(counts, key=lambda path: (path != own, -counts[path], path)):
        print(f"{counts[path]:5}  {path}{'  (at the same place)' if path == own else ''}")
    for path in further_tests(arguments.file):
        print(f"       {path}")


if __name__ == "__main__":
    main()
