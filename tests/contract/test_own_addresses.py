"""Unmodified clients of dialects that have addresses of their own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from contract.environments import interpreter
from contract.test_snippets import ANSWERS, pair_of, run_program
from qwicket.snippets import SNIPPETS, text
from support.own_addresses import live_with_own, own_url
from support.server import LiveServer

pytestmark = pytest.mark.extended

OWN = {
    "ionq-core": ("ionq", "/ionq"),
    "braket": ("braket", "/braket"),
    "qiskit-ibm-runtime": ("ibm-platform", "/ibm/runtime"),
    "xcc": ("xanadu", ""),
    "qiskit-iqm": ("iqm", ""),
    "strawberryfields": ("xanadu", ""),  # signs in and sends jobs with xcc: long form only
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = live_with_own(tmp_path_factory.mktemp("own"), {name for name, _ in OWN.values()})
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.mark.vendor
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", OWN)
def test_a_client_needs_nothing_but_the_address(
    live: LiveServer, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    dialect, root = OWN[name]
    snippet, own = SNIPPETS[name], own_url(live, dialect)
    assert snippet.suite is not None
    program = text(name, live.url)
    for usual in ("/s3", "/sts"):  # services of AWS beside Braket's own, at the same address
        program = program.replace(live.url + usual, own + usual)
    program = program.replace(live.url + root, own)
    program = program.replace(f"port={urlsplit(live.url).port}", f"port={urlsplit(own).port}")
    assert f":{urlsplit(live.url).port}" not in program
    folder, token = tmp_path_factory.mktemp("home"), live.token("ada")
    pair = pair_of(live, "ada") if snippet.needs_pair else {}
    done = run_program([str(interpreter(snippet.suite)), "-"], program, token, folder, pair=pair)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in (ANSWERS[name],) if name in ANSWERS else ("'00': ", "'11': "):
        assert part in done.stdout, done.stdout
