"""Which devices each dialect lists: the built-in ones, and those that labs announce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from support import braket, ibm, runtime, xanadu
from support.agents import serving_token
from support.server import LiveServer
from support.waiting import PROMPT_S, until

IONS = ("qpu.aria-1", "qpu.forte-1")
SUPERCONDUCTING = ("qwicket_simulator", "qwicket_line5", "qwicket_heavyhex27")
ATOMS = ("singlequdit", "multiqudit", "rydberg", "fermions")
IQM = ("garnet", "crystal54")
PHOTONIC = ("X8_01", "simulon_gaussian", "tdm_small")
BUILT_IN: dict[str, tuple[str, ...]] = {
    "native": (
        *("simulator", *IONS, "clifford", *SUPERCONDUCTING, *IQM, *ATOMS),
        *(*PHOTONIC, "statevector", "parked"),
    ),
    "ionq": ("simulator", *IONS),
    "ionq v0.3": ("simulator", *IONS),
    "ibm": SUPERCONDUCTING,
    "runtime": SUPERCONDUCTING,
    "runtime platform": SUPERCONDUCTING,
    "qbraid": (*IONS, "rydberg", "statevector", "parked"),
    "qbraid v0": (*IONS, "rydberg", "statevector", "parked"),
    "qbraid registry": (*IONS, "rydberg", "statevector", "parked"),
    "qlued": ATOMS,
    "xanadu": PHOTONIC,
    "iqm": ("simulator", *IQM),
    "braket": ("qwicket_line5", "rydberg", "SV1", "DM1"),
}
ANNOUNCED: dict[str, dict[str, Any]] = {
    "qubit": {
        "formats": [
            *("openqasm3", "openqasm2", "qobj", "ionq.circuit.v1", "qiskit.primitives"),
            "iqm.circuits",
        ],
        "outputs": ["counts", "memory", "probabilities"],
    },
    "atoms": {"formats": ["qlued.rydberg"], "outputs": ["samples"]},
    "photonic": {"formats": ["blackbird"], "outputs": ["samples"]},
}
"""What labs announce, by family: no dialect but the native one shows it unless the lab says so."""
DIALECTS = {
    "qubit": ("ionq", "ibm", "runtime", "qbraid", "iqm"),
    "atoms": ("qlued",),
    "photonic": ("xanadu",),
}
"""Where a lab may have a device of each family shown."""


class Caller:
    """One account at every dialect.

    Args:
        http: A client that signs in nowhere.
        secret: The account's token.
        pair: Its key pair.
    """

    def __init__(self, http: httpx.Client, secret: str, pair: str) -> None:
        self._http = http
        self._key = secret
        self._pair = pair
        self._ibm = ibm.Client(http, secret)
        self._runtime = runtime.Client(http, secret)
        self._xanadu = xanadu.Caller(http, secret)

    def names(self, dialect: str) -> tuple[str, ...]:
        """Return the names of the devices that a dialect lists, as the server calls them."""
        return _LISTS[dialect](self)

    def _get(self, path: str, **headers: str) -> Any:
        answer = self._http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def native(self) -> tuple[str, ...]:
        found = self._get("/v1/devices", Authorization=f"Bearer {self._key}")
        return tuple(each["name"] for each in found["devices"])

    def ionq(self, version: str = "v0.4") -> tuple[str, ...]:
        found = self._get(f"/ionq/{version}/backends", Authorization=f"apiKey {self._key}")
        return tuple(each["backend"] for each in found)

    def ibm(self) -> tuple[str, ...]:
        return tuple(each["backend_name"] for each in self._ibm.get("/devices/v/1"))

    def runtime(self) -> tuple[str, ...]:
        return tuple(self._runtime.get("/backends")["devices"])

    def ibm_platform(self) -> tuple[str, ...]:
        bearer = f"Bearer {runtime.access_token(self._http, self._key)}"
        found = self._get(f"{runtime.PLATFORM}/backends", Authorization=bearer)
        return tuple(each["name"] for each in found["devices"])

    def qbraid(self) -> tuple[str, ...]:
        found = self._get("/qbraid/api/v1/devices", **{"X-API-Key": self._key})
        return tuple(each["qrn"].split(":")[-1] for each in found["data"])

    def former_qbraid(self, path: str) -> tuple[str, ...]:
        found = self._get(f"/qbraid/api/{path}", **{"api-key": self._key})
        return tuple(each["qbraid_id"].removeprefix("qbraid_") for each in found)

    def qlued(self) -> tuple[str, ...]:
        found = self._get("/qlued/api/v2/backends")
        return tuple(each["display_name"] for each in found)

    def braket(self) -> tuple[str, ...]:
        auth = braket.Signature(self._pair, "braket")
        found = self._http.post("/braket/devices", json={"filters": []}, auth=auth).json()
        return tuple(each["deviceName"] for each in found["devices"])

    def xanadu(self) -> tuple[str, ...]:
        found = self._xanadu.call("GET", "/devices").json()
        return tuple(each["target"] for each in found["data"])

    def iqm(self) -> tuple[str, ...]:
        found = self._get("/api/v1/quantum-computers", Authorization=f"Bearer {self._key}")
        return tuple(each["alias"] for each in found["quantum_computers"])


_LISTS: dict[str, Callable[[Caller], tuple[str, ...]]] = {
    "native": Caller.native,
    "ionq": Caller.ionq,
    "ionq v0.3": lambda caller: caller.ionq("v0.3"),
    "ibm": Caller.ibm,
    "runtime": Caller.runtime,
    "runtime platform": Caller.ibm_platform,
    "qbraid": Caller.qbraid,
    "qbraid v0": lambda caller: caller.former_qbraid("quantum-devices"),
    "qbraid registry": lambda caller: caller.former_qbraid("public/lab/get-devices"),
    "qlued": Caller.qlued,
    "xanadu": Caller.xanadu,
    "iqm": Caller.iqm,
    "braket": Caller.braket,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose devices no other test changes."""
    started = LiveServer(tmp_path_factory.mktemp("lists"))
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def caller(live: LiveServer) -> Iterator[Caller]:
    with httpx.Client(base_url=live.url, timeout=60) as http:
        secret = live.token("ada")
        yield Caller(http, secret, live.admin("token", "create", "--user", "ada", "--aws"))


def test_built_in_and_announced_devices_are_listed_where_their_files_and_labs_say_so(
    live: LiveServer, caller: Caller
) -> None:
    assert {name: caller.names(name) for name in _LISTS} == BUILT_IN
    wanted: dict[str, tuple[str, ...]] = {
        f"{family}-{name}": (name,) for family, names in DIALECTS.items() for name in names
    }
    wanted |= {f"{family}-everywhere": names for family, names in DIALECTS.items()}
    wanted |= {f"{family}-natively": () for family in DIALECTS}
    with live.client(serving_token(live, *wanted)) as agent:
        for device, dialects in wanted.items():
            family = device.partition("-")[0]
            spec = {"description": "A lab's device", "qubits": 2, **ANNOUNCED[family]}
            body = {"family": family, "spec": spec, "dialects": dialects}
            answer = agent.put(f"/v1/agent/devices/{device}", json=body)
            assert answer.status_code == 200, answer.text
            assert answer.json()["dialects"] == ["native", *dialects]
    # qlued's list is for the public, and so cached for 0.1 s.
    until(
        lambda: caller.names("qlued") != BUILT_IN["qlued"],
        "qlued's list is read again",
        timeout_s=PROMPT_S,
    )
    for name, listed in BUILT_IN.items():
        dialect = name.partition(" ")[0]
        added = {each for each, at in wanted.items() if dialect in ("native", *at)}
        found = caller.names(name)
        assert {*found} - {*listed} == added, name
        assert tuple(each for each in found if each in listed) == listed


def test_a_lab_cannot_name_a_dialect_whose_clients_could_not_submit(
    live: LiveServer, caller: Caller
) -> None:
    everywhere = {name.partition(" ")[0] for name in BUILT_IN}
    with live.client(serving_token(live, "misplaced")) as agent:
        for family, dialects in DIALECTS.items():
            spec = {"description": "A lab's device", "qubits": 2, **ANNOUNCED[family]}
            for other in everywhere - {"native", *dialects}:
                body = {"family": family, "spec": spec, "dialects": [other]}
                answer = agent.put("/v1/agent/devices/misplaced", json=body)
                assert answer.status_code == 400
                assert answer.json()["field"] == "dialects"
                assert f"not '{other}'" in answer.json()["detail"]
        spec = {"description": "A lab's device", "qubits": 2, "formats": ["openqasm3"]}
        body = {"family": "qubit", "spec": spec, "dialects": ["ibm"]}
        answer = agent.put("/v1/agent/devices/misplaced", json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, "dialects")
        assert "clients of 'ibm' send qobj" in answer.json()["detail"]
    assert "misplaced" not in caller.names("native")
