"""Tests of the pytest plugin on every supported Python and pytest: `make plugin-long`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from contract.environments import ROOT, made

PYTHONS: Final = ("3.11", "3.12", "3.13")
PYTESTS: Final = ("8", "9")
TESTS: Final = ROOT / "tests" / "integration" / "test_test_bed_plugin.py"
_LIMIT_S: Final = 600


def main() -> None:
    failed = []
    for python in PYTHONS:
        for pytest in PYTESTS:
            name = f"Python {python}, pytest {pytest}"
            sys.stdout.write(f"--- {name}\n")
            sys.stdout.flush()
            if not passes(environment(python, pytest)):
                failed.append(name)
    sys.exit(f"failed: {'; '.join(failed)}" if failed else 0)


def environment(python: str, pytest: str) -> Path:
    """Return the interpreter of an environment with the project, as its users install it."""
    wanted = [
        f"--editable={ROOT}[testing]",
        f"pytest=={pytest}.*",
        *("pytest-xdist>=3.8,<4", "pyyaml>=6,<7", "requests>=2.32,<3"),
    ]
    project = (ROOT / "pyproject.toml").read_text()
    return made(f"plugin-{python}-pytest-{pytest}", f"{wanted}{project}".encode(), python, [wanted])


def passes(interpreter: Path) -> bool:
    """Return whether the plugin's own tests pass there, without settings of this project."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n")
        command = [str(interpreter), "-m", "pytest", "-q", "-c", str(settings), "--noconftest"]
        done = subprocess.run([*command, str(TESTS)], cwd=folder, timeout=_LIMIT_S, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    main()
