"""Prompts that a person chooses in a host: a Bell pair, a scan, a step of VQE."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from qwicket.features.mcp.messages import RPCError
from qwicket.model.devices import check_device_name
from qwicket.model.errors import InvalidRequest


class _Prompt(NamedTuple):
    description: str
    text: str


_PROMPTS: Final = {
    "bell_pair": _Prompt(
        "Measure a Bell pair.",
        "Measure a Bell pair with 1000 shots on {device}: check the program, estimate its cost,"
        " submit it once, wait for its end, and compare the counts with the ideal ones.",
    ),
    "scan": _Prompt(
        "Scan an angle.",
        "Scan the angle of an rx gate on one qubit of {device} from 0 to 2π in 9 steps with 500"
        " shots each. Write one program with `input float theta;` and give its value in `inputs`."
        " Estimate the cost of all steps before the first, and tabulate the share of 1 by angle.",
    ),
    "vqe_step": _Prompt(
        "Measure an energy and propose the next angle.",
        "Do one step of VQE on {device} for the energy H = Z0 Z1 + 0.5 X0 + 0.5 X1 and the ansatz"
        " ry(theta) on qubit 0, then cx from 0 to 1. Measure ZZ and both X with 1000 shots each at"
        " theta and at theta ± π/2, compute energy and gradient, and propose the next theta.",
    ),
}


def listed() -> list[dict[str, Any]]:
    """Return the prompts as the protocol lists them."""
    argument = {"name": "device", "description": "Name of the device.", "required": False}
    return [
        {"name": name, "description": each.description, "arguments": [argument]}
        for name, each in _PROMPTS.items()
    ]


def prompt(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    """Return a prompt for a device, by default one that the assistant chooses.

    Raises:
        RPCError: There is no such prompt, or the device's name is invalid: it could be an order.
    """
    found = _PROMPTS.get(name)
    if found is None:
        known = ", ".join(_PROMPTS)
        raise RPCError.of(-32602, f"There is no prompt {name[:64]!r}. The prompts are {known}.")
    given = arguments.get("device", "")
    try:
        device = check_device_name(given) if given else "an ideal simulator"
    except InvalidRequest as error:
        raise RPCError.of(-32602, error.detail) from None
    text = found.text.replace("{device}", device)
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"description": found.description, "messages": [message]}
