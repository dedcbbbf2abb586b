"""Device files of clouds that were probed."""

from __future__ import annotations

import math
import tomllib
from typing import Any

from qwicket.devices.remotes import Remote
from qwicket.drivers.remote.clouds import ListedDevice
from qwicket.drivers.remote.probe import device_toml


def test_a_device_file_is_toml_whatever_the_cloud_says_of_the_device() -> None:
    spec: dict[str, Any] = {
        "description": 'tab\t, del\x7f, "quoted" \\ and 🙂',
        "figures": {"a b": math.inf, "c": -math.inf, "d": 1e-7, "e": [0.5, math.inf]},
        "rows": [{"x": 1}, {"x": 2}],
    }
    device = ListedDevice("lab/one", "online", family="qubit", qubits=2, spec=spec)
    remote = Remote(kind="qwicket", url="https://lab.example", device="", key_env="KEY")
    read = tomllib.loads(device_toml(device, remote))
    assert read["spec"] == spec
    assert (read["name"], read["remote"]["device"]) == ("far-lab-one", "lab/one")
