"""Each gate against its definition on mode operators, on a random entangled state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, cosh, pi, sin, sinh

import numpy as np
import pytest

from qwicket.circuits.photonic import Gate, Op
from qwicket.engines.failures import CannotRun
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine.engine import _Simulation
from qwicket.vendors.xanadu.engine.gaussian import Gaussian
from support import photonic_math as photons
from support.for_each import for_each

N = 3
E = np.exp
Operators = list[np.ndarray]


def state(ops: Sequence[Op], *, squeezing: float = 2.5) -> Gaussian:
    bounds = PhotonicLimits(squeezing=squeezing)
    machine = _Simulation(N, 1, np.random.default_rng(0), bounds)
    for op in ops:
        assert isinstance(op, Gate)
        machine.apply(op)
    return machine._state


START = photons.entangled(N, np.random.default_rng(3))


def annihilators() -> Operators:
    """Return a_i as rows over (x…, p…, 1)."""
    eye = np.eye(2 * N + 1, dtype=complex)
    return [(eye[i] + 1j * eye[i + N]) / 2 for i in range(N)]


def expected(modes: Sequence[int], made: Operators) -> tuple[np.ndarray, np.ndarray]:
    """Return covariances and means once the modes' operators are those given."""
    rows = annihilators()
    for mode, row in zip(modes, made, strict=True):
        rows[mode] = row
    matrix = np.array([2 * row.real for row in rows] + [2 * row.imag for row in rows])
    before = state(START)
    means = matrix[:, :-1] @ before.means[0] + matrix[:, -1]
    return matrix[:, :-1] @ before.cov @ matrix[:, :-1].T, means


ONE = np.eye(2 * N + 1)[-1]
H = np.conj
BS = pi / 4, pi / 2


def beam_splitter(a: np.ndarray, b: np.ndarray, t: float, phi: float) -> Operators:
    return [a * cos(t) - E(-1j * phi) * b * sin(t), E(1j * phi) * a * sin(t) + b * cos(t)]


def symmetric(a: np.ndarray, b: np.ndarray, i: float, e: float) -> Operators:
    a, b = beam_splitter(a, b, *BS)
    return beam_splitter(E(1j * (i - pi / 2)) * a, E(1j * (e - pi / 2)) * b, *BS)


def mach_zehnder(a: np.ndarray, b: np.ndarray, i: float, e: float) -> Operators:
    inner, outer = E(1j * i), E(1j * e)
    first = (inner - 1) * outer * a + 1j * (1 + inner) * b
    return [first / 2, (1j * (1 + inner) * outer * a + (1 - inner) * b) / 2]


def quadratures(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and p as complex rows; a = (x + ip)/2 has real rows of both."""
    return 2 * a.real, 2 * a.imag


def controlled_x(a: np.ndarray, b: np.ndarray, s: float) -> Operators:
    (x1, p1), (x2, p2) = quadratures(a), quadratures(b)
    return [(x1 + 1j * (p1 - s * p2)) / 2, (x2 + s * x1 + 1j * p2) / 2]


def controlled_z(a: np.ndarray, b: np.ndarray, s: float) -> Operators:
    (x1, p1), (x2, p2) = quadratures(a), quadratures(b)
    return [(x1 + 1j * (p1 + s * x2)) / 2, (x2 + 1j * (p2 + s * x1)) / 2]


U = photons.unitary(2, np.random.default_rng(8))
DEFINITIONS: dict[str, tuple[tuple[float, ...], Callable[..., Operators]]] = {
    "Sgate": ((0.4, 0.7), lambda a, r, f: [a * cosh(r) - E(1j * f) * H(a) * sinh(r)]),
    "S2gate": (
        (0.4, 0.7),
        lambda a, b, r, f: [
            a * cosh(r) + E(1j * f) * H(b) * sinh(r),
            b * cosh(r) + E(1j * f) * H(a) * sinh(r),
        ],
    ),
    "Dgate": ((0.4, 0.7), lambda a, r, f: [a + r * E(1j * f) * ONE]),
    "Xgate": ((0.4,), lambda a, x: [a + x / 2 * ONE]),
    "Zgate": ((0.4,), lambda a, p: [a + 1j * p / 2 * ONE]),
    "Rgate": ((0.4,), lambda a, t: [E(1j * t) * a]),
    "Fouriergate": ((), lambda a: [1j * a]),
    "BSgate": ((0.4, 0.7), beam_splitter),
    "MZgate": ((0.4, 0.7), mach_zehnder),
    "sMZgate": ((0.4, 0.7), symmetric),
    "Pgate": ((0.4,), lambda a, s: [a + 1j * s * a.real]),
    "CXgate": ((0.4,), controlled_x),
    "CZgate": ((0.4,), controlled_z),
    "Interferometer": (
        tuple(U.ravel().view(float).tolist()),
        lambda a, b, *_: [U[0, 0] * a + U[0, 1] * b, U[1, 0] * a + U[1, 1] * b],
    ),
}
PAIRS = {"S2gate", "BSgate", "MZgate", "sMZgate", "CXgate", "CZgate", "Interferometer"}


@for_each("name", DEFINITIONS)
def test_a_gate_does_what_its_definition_says(name: str) -> None:
    params, definition = DEFINITIONS[name]
    modes = (2, 0) if name in PAIRS else (2,)
    after = state([*START, Gate(name, modes, params)])
    rows = annihilators()
    cov, means = expected(modes, definition(*(rows[mode] for mode in modes), *params))
    np.testing.assert_allclose(after.cov, cov, atol=1e-12)
    np.testing.assert_allclose(after.means[0], means, atol=1e-12)


def test_a_transform_acts_on_all_x_before_all_p() -> None:
    squeezed = np.diag([0.5, 2.0, 2.0, 0.5])
    after = state([*START, Gate("GaussianTransform", (2, 0), tuple(squeezed.ravel().tolist()))])
    scale = np.array([2.0, 1, 0.5, 0.5, 1, 2.0])
    before = state(START)
    np.testing.assert_allclose(after.cov, before.cov * np.outer(scale, scale), atol=1e-12)


@pytest.mark.parametrize(("name", "n"), [("LossChannel", 0.0), ("ThermalLossChannel", 0.7)])
def test_loss_mixes_one_mode_with_its_environment(name: str, n: float) -> None:
    params = (0.6, n) if n else (0.6,)
    after, before = state([*START, Gate(name, (1,), params)]), state(START)
    scale = np.ones(2 * N)
    scale[[1, 4]] = 0.6**0.5
    noise = np.zeros(2 * N)
    noise[[1, 4]] = 0.4 * (2 * n + 1)
    np.testing.assert_allclose(after.cov, before.cov * np.outer(scale, scale) + np.diag(noise))
    np.testing.assert_allclose(after.means[0], before.means[0] * scale)


def test_a_preparation_parts_its_mode_from_all_others() -> None:
    after = state([*START, Gate("DisplacedSqueezed", (1,), (0.5, 0.0, 0.3, 0.0))])
    before = state(START)
    rest = [0, 2, 3, 5]
    np.testing.assert_allclose(after.cov[np.ix_(rest, rest)], before.cov[np.ix_(rest, rest)])
    assert not after.cov[np.ix_([1, 4], rest)].any()
    np.testing.assert_allclose(after.cov[[1, 4], [1, 4]], [np.exp(-0.6), np.exp(0.6)])
    np.testing.assert_allclose(after.means[0, [1, 4]], [1.0, 0.0])


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (Gate("Sgate", (0,), (2.6, 0.0)), "the limit 'squeezing' is 2.5"),
        (Gate("S2gate", (0, 1), (1e9, 0.0)), "the limit 'squeezing' is 2.5"),
        (Gate("Pgate", (0,), (1e9,)), "the limit 'squeezing' is 2.5"),
        (Gate("Dgate", (0,), (21.0, 0.0)), "the limit 'displacement' is 20"),
        (Gate("Interferometer", (0,), (2.0, 0.0)), "the matrix is not unitary"),
        (Gate("GaussianTransform", (0,), (1.0, 0.0, 0.0, 2.0)), "the matrix is not symplectic"),
        (Gate("Gaussian", (0,), (0.5, 0.0, 0.0, 0.5, 0.0, 0.0)), "not a state's covariance"),
        (Gate("Gaussian", (0,), (0.0, 0.0, 0.0, 1e6, 0.0, 0.0)), "not a state's covariance"),
        (Gate("Gaussian", (0,), (1.0, 0.0, 0.5, 1e6, 0.0, 0.0)), "not a state's covariance"),
        (
            Gate("Gaussian", (0,), (5e-3, 0.0, 0.0, 200.0, 0.0, 0.0)),
            "squeezing by 2.6.* is too strong; the limit 'squeezing' is 2.5",
        ),
        (
            Gate("Gaussian", (0,), (1.0, 0.0, 0.0, 1.0, 9.0, -40.0)),
            "the limit 'displacement' is 20",
        ),
        (Gate("Thermal", (0,), (1e10,)), "the engine takes at most"),
        (Gate("Warp", (0,)), "no engine here knows the operation 'Warp'"),
    ],
)
def test_what_is_too_much_or_no_state_is_refused(gate: Gate, text: str) -> None:
    with pytest.raises(CannotRun, match=text):
        state([gate, Gate("Rgate", (0,), (0.0,))])


def test_a_strongly_squeezed_state_is_prepared_and_measured() -> None:
    prepared = Gate("Gaussian", (0,), (1e-6, 0.0, 0.0, 1e6, 0.0, 0.0))
    after = state([prepared], squeezing=7.0)
    found = after.homodyne(0, 0.0, 1_000, np.random.default_rng(1))
    assert 0.9e-3 < found.std() < 1.1e-3
