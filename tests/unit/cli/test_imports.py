"""What commands import: without a clock, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OF_SERVER = {
    *("argon2", "jinja2", "numpy", "prometheus_client", "psycopg", "scipy", "uvicorn", "uvloop"),
    *("qwicket.compute", "qwicket.engines", "qwicket.programs", "qwicket.pages"),
    *("qwicket.dialects.native.routes", "qwicket.dialects.registrations", "qwicket.server.app"),
}
"""Modules that a running server needs, and no other command."""
SLOW = {"asyncio", "http.client", "msgspec", "sqlite3", "urllib3"}


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Return the modules that a command has imported at its end, with whatever exit status."""
    code = (
        "import sys\n"
        "from qwicket.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    print('modules', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        # Without the variables by which a measurement of coverage gets into every process.
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(folder),
            "QWICKET_TOKEN": "qw_x",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (("env", "qiskit-ionq"), SLOW | OF_SERVER),
        (("jobs", "--help"), SLOW | OF_SERVER),
        (("--help",), {"asyncio", "http.client", "sqlite3", "urllib3"} | OF_SERVER),
        (("user", "list", "--data-dir", "."), {"urllib3"} | OF_SERVER),
        (("jobs", "--url", "http://127.0.0.1:9"), {"asyncio", "sqlite3"} | OF_SERVER),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_imports_what_it_needs(
    arguments: tuple[str, ...], never: set[str], tmp_path: Path
) -> None:
    found = loaded(tmp_path, *arguments)
    assert "qwicket.cli" in found
    assert not found & never


def test_a_settings_file_imports_no_other_commands_than_serve(tmp_path: Path) -> None:
    (tmp_path / "qwicket.toml").write_text('port = 8001\ndata_dir = "."\n')
    found = loaded(tmp_path, "env", "qiskit-ionq")
    assert "qwicket.cli.serve" in found
    assert not found & {f"qwicket.cli.{name}" for name in ("accounts", "devices", "job", "watch")}


def test_checks_of_settings_import_no_application() -> None:
    code = "import sys, qwicket.server.preflight; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "qwicket.server.addresses" in done.stdout.split()
    assert not {"qwicket.server.app", "starlette", "uvicorn"} & set(done.stdout.split())
