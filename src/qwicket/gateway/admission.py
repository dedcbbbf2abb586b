"""Validation of submissions, before anything is stored."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from qwicket import devices, engines, programs
from qwicket.circuits import twins
from qwicket.circuits.options import LabOptions, RunOptions
from qwicket.circuits.outcomes import COUNTS, OUTPUTS, PROBABILITIES
from qwicket.circuits.summary import Checked, Summary
from qwicket.gateway.device_limits import MPS_ENGINE
from qwicket.gateway.program_checks import (
    check_connected,
    check_format,
    check_program,
    with_detected_format,
)
from qwicket.gateway.refusals import device_off, no_device, no_noise_model
from qwicket.gateway.ttl_cache import TTLCache
from qwicket.model.accounts import Actor
from qwicket.model.devices import MAX_NAME_CHARS
from qwicket.model.errors import InvalidProgram, InvalidRequest, LimitExceeded
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, NewJob, Submission
from qwicket.model.limits import INT64_MAX
from qwicket.model.random_bits import random_bits
from qwicket.model.states import JobState
from qwicket.model.suggestions import did_you_mean
from qwicket.registrations import hook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.circuits.calibrations import Calibrated, Pair
    from qwicket.circuits.noise import NoiseModel
    from qwicket.compute import ParserPool
    from qwicket.gateway.device_limits import DeviceLimits
    from qwicket.model.devices import Device
    from qwicket.model.limits import Limits
    from qwicket.store import DeviceSnapshot, Store

_VARIANTS: Final = 20
"""Variants of a symmetrised run, an even number. With 500 shots, the default of the limit
`debias_shots`, each has 25."""

_HASHED_INLINE_BYTES: Final = 64 << 10
"""Up to this size a source is hashed on the event loop."""

_NO_PROGRAM: Final = Checked(Summary("", 0, 0, 0, 0), b"")
"""Stored in place of a refused program."""
_NO_ESTIMATE: Final = engines.Estimate(0, 0.0, 0)

_Readings = dict[tuple[str, bool], Checked | InvalidRequest | LimitExceeded]
"""Parsed programs, or their errors, by a device with a layout and by whether delays are kept."""

_encode = msgspec.msgpack.Encoder().encode


class Admission:
    """Validates device, numbers and program, in this order.

    Args:
        store: Stores devices and their status.
        parsers: Parse programs that are too large for this process.
        limits: Bounds on requests and programs.
        device_limits: Limits on the jobs of each device.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        store: Store,
        parsers: ParserPool,
        limits: Limits,
        device_limits: DeviceLimits,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._parsers = parsers
        self._limits = limits
        self._small_limits = programs.small_limits(limits)
        self._device_limits = device_limits
        self._now_ms = now_ms
        self._snapshots: TTLCache[str, DeviceSnapshot] = TTLCache(
            lambda name: store.devices.snapshot(name, now_ms())
        )
        self._twins: dict[str, NoiseModel] = {}
        self._readings: _Readings | None = None

    def for_one_program(self) -> Admission:
        """Return an admission for submissions that differ only in their device.

        It parses their program once, and again only where devices keep delays or have a layout.
        """
        found = copy(self)
        found._readings = {}
        return found

    async def admit(
        self, actor: Actor, submission: Submission, *, keep_refused: bool = False
    ) -> NewJob:
        """Return the job to store; with `keep_refused`, a failed one if the program is invalid.

        Raises:
            QwicketError: The submission is refused; `field` and `detail` say why.
        """
        new = await self._admitted(actor, submission, keep_refused=keep_refused)
        if actor.bounds is None:
            return new
        from qwicket.gateway.bounds import bounded  # late: few tokens have bounds

        return await bounded(actor, new)

    async def _admitted(
        self, actor: Actor, submission: Submission, *, keep_refused: bool
    ) -> NewJob:
        device, calibration, exam = await self._device(actor, submission)
        self._check_numbers(submission, device)
        exam_fields = await self._check_exam(actor, device, exam) if exam else {}
        withholds = exam_fields.get("withheld_until") is not None
        if submission.is_passed_on:
            new = _passed_on(actor, submission, device, self._now_ms())
            return structs.replace(new, **exam_fields) if exam_fields else new
        try:
            try:
                new = await self._checked(actor, submission, device, calibration, withholds)
            except LimitExceeded:
                # A pilot with more memory may have connected since the memory was read.
                if not await self._device_limits.update_memory():
                    raise
                new = await self._checked(actor, submission, device, calibration, withholds)
            return structs.replace(new, **exam_fields) if exam_fields else new
        except (InvalidRequest, LimitExceeded) as refusal:
            if not keep_refused:
                raise
            return _refused(actor, submission, refusal, self._now_ms())

    async def _checked(
        self,
        actor: Actor,
        submission: Submission,
        device: Device,
        calibration: Calibrated | None,
        withholds: bool,
    ) -> NewJob:
        noise = self._noise(submission, device, calibration)
        with_delays = noise is not None and noise.acts_on_delays
        connectivity = calibration.body.connectivity if calibration else None
        checked = await self._read(actor, submission, device, connectivity, with_delays=with_delays)
        if withholds and (submission.seed is not None or checked.summary.is_seeded):
            # With its seed a job gives the same result on each simulator that is not reserved.
            raise InvalidRequest(
                "seed: the results of this exam are withheld until its end, so the server draws"
                " the seed: leave it out.",
                field="seed",
            )
        completed = self._apply_program_settings(submission, device, checked.summary, noise)
        options, estimate = self._plan(completed, device, checked.summary, noise, calibration)
        if checked.combinations:
            options = LabOptions(
                **{**structs.asdict(options), "outputs": (COUNTS,)},
                combinations=checked.combinations,
            )
        self._device_limits.check_result(completed, checked.summary, is_exact=noise is None)
        # The clock is read only now: the job was not queued while it was parsed, perhaps for 1 s.
        limits = self._limits.jobs
        is_short = estimate.seconds < limits.express_s and estimate.bytes <= limits.express_bytes
        return _new_job(
            actor,
            submission,
            checked,
            options,
            estimate,
            self._now_ms(),
            calibration=calibration.id if calibration else None,
            cost=device.spec.cost,
            is_dry_run=submission.dry_run,
            express=is_short and device.is_simulated,
        )

    async def draft(self, actor: Actor, submission: Submission) -> NewJob:
        """Return a draft to store, whose program is uploaded later.

        Raises:
            QwicketError: Device, name, tags or numbers are invalid.
        """
        now = self._now_ms()
        device, _, exam = await self._device(actor, submission)
        self._check_numbers(submission, device)
        if exam:
            await self._check_exam(actor, device, exam)
        return NewJob(
            id=new_id(now),
            account=actor.account,
            project=actor.project,
            device=submission.device,
            dialect=submission.dialect,
            group=submission.group,
            name=submission.name,
            tags=submission.tags,
            shots=submission.shots,
            n_circuits=0,
            n_qubits=0,
            n_ops_1q=0,
            n_ops_2q=0,
            est_bytes=0,
            est_seconds=0.0,
            priority=submission.priority,
            format=submission.format,
            source=b"",
            circuits=b"",
            options=b"",
            reader_version=0,
            vendor_fields=submission.vendor_fields,
            now=now,
            state=JobState.DRAFT,
            expires_at=now + round(1000 * self._limits.quotas.draft_s),
        )

    async def complete(self, submission: Submission) -> Submission:
        """Detect the format of the source if none is named, and hash it for its idempotency key.

        A large source is hashed in a thread. So is a submission without a device, because it is
        admitted as one with a device.
        """
        if not submission.format:
            guessed = programs.guess_format(submission.source)
            submission = structs.replace(submission, format=guessed)
        is_small = len(submission.source) <= _HASHED_INLINE_BYTES and not submission.candidates
        if submission.idempotency_key is None or is_small:
            return submission
        digest = await asyncio.to_thread(_fingerprint, submission)
        return structs.replace(submission, key_digest=digest)

    async def repeated(self, actor: Actor, submission: Submission) -> Job | None:
        """Return the job that the same submission created within its key's life, or None.

        Raises:
            KeyReused: Its idempotency key was used with other content.
        """
        assert submission.idempotency_key is not None
        return await self._store.jobs.by_idempotency_key(
            account=actor.account,
            dialect=submission.dialect,
            key=submission.idempotency_key,
            digest=_fingerprint(submission),
            now=self._now_ms(),
            life_ms=submission.key_life_ms,
        )

    def run_time(
        self,
        device: Device,
        calibration: Calibrated | None,
        n_qubits: int,
        gates: tuple[int, int],
        shots: int,
    ) -> float:
        """Estimate the run time of a job in seconds from its numbers alone.

        Args:
            device: The device.
            calibration: Its calibration, if any.
            n_qubits: Qubits of the circuit.
            gates: Gates on one qubit, and on two.
            shots: Number of shots.
        """
        summary = Summary(device.family, 1, n_qubits, *gates)
        if not device.is_simulated:
            return device.spec.shot_s * shots
        submission = Submission(dialect="", device=device.name, format="", source=b"", shots=shots)
        noise = self._noise(submission, device, calibration)
        options = RunOptions(shots=shots, seed=0, outputs=submission.outputs, noise=noise)
        return engines.estimate(summary, options).seconds

    async def _device(
        self, actor: Actor, submission: Submission
    ) -> tuple[Device, Calibrated | None, str | None]:
        is_name = len(submission.device) <= MAX_NAME_CHARS
        snapshot = await self._snapshots.get(submission.device) if is_name else None
        takes_jobs = snapshot is not None and snapshot.status.takes_jobs
        if snapshot is not None and not takes_jobs:
            # A cached status never causes a refusal: the device may be on again.
            self._snapshots.invalidate(submission.device)
            snapshot = await self._snapshots.get(submission.device)
            takes_jobs = snapshot is not None and snapshot.status.takes_jobs
        if snapshot is None or submission.dialect not in snapshot.device.dialects:
            offered = await self._store.devices.offered()
            raise no_device(submission.device, submission.dialect, offered)
        device, status, calibration, exam = snapshot
        actor.require_device(device.name)
        if not takes_jobs:
            raise device_off(device.name, status)
        return device, calibration, exam

    async def _check_exam(self, actor: Actor, device: Device, exam: str) -> dict[str, int | None]:
        check_exam = hook("exam")
        found: dict[str, int | None] = {}
        if check_exam is not None:
            found = await check_exam(self._store, actor, device.name, exam, self._now_ms())
        return found

    def _check_numbers(self, submission: Submission, device: Device) -> None:
        spec, limits = device.spec, self._limits
        shots_limit = self._device_limits.shots(device)
        if not 1 <= submission.shots <= shots_limit:
            raise LimitExceeded(
                f"shots must be 1 to {shots_limit} (limit shots), not {submission.shots}.",
                field="shots",
            )
        if submission.debias and submission.shots < limits.jobs.debias_shots:
            raise LimitExceeded(
                f"shots must be at least {limits.jobs.debias_shots} with debiasing (limit"
                f" debias_shots), not {submission.shots}.",
                field="shots",
            )
        if submission.seed is not None and not 0 <= submission.seed <= INT64_MAX:
            raise InvalidRequest(f"seed must be 0 to {INT64_MAX}.", field="seed")
        self.check_names(submission.name, submission.tags)
        self._check_outputs(submission, device)
        if submission.dry_run and not device.is_simulated:
            raise InvalidRequest(f"{device.name} is not a simulator, so it takes no dry runs.")
        if submission.noise is not None and submission.noise not in spec.noise_models:
            raise InvalidRequest(no_noise_model(device, submission.noise), field="noise")
        if submission.engine:
            self._check_engine(submission.engine, device)

    def _check_engine(self, engine: str, device: Device) -> None:
        installed = self._device_limits.installed_engines(device)
        if engine not in installed:
            raise InvalidRequest(
                f"engine: {device.name} has no engine {engine!r} here; it has"
                f" {', '.join(installed) or 'none'}.{did_you_mean(engine, installed)}",
                field="engine",
            )

    def _apply_program_settings(
        self, submission: Submission, device: Device, summary: Summary, noise: NoiseModel | None
    ) -> Submission:
        """Return the submission with the shots and outputs that its program specifies."""
        if summary.is_exact:
            if noise is not None or not device.is_simulated:
                raise InvalidRequest(
                    f"precision: {device.name} is not an ideal simulator and gives no exact values,"
                    f" and a precision takes 1/precision² shots, at most {self._limits.jobs.shots}"
                    " (limit shots).",
                    field="precision",
                )
            submission = structs.replace(submission, outputs=(*submission.outputs, PROBABILITIES))
        if summary.shots:
            submission = structs.replace(submission, shots=summary.shots)
            self._check_numbers(submission, device)
        return submission

    def check_names(self, name: str, tags: tuple[str, ...]) -> None:
        """Validate a name and tags.

        Raises:
            LimitExceeded: The name or a tag is too long.
            InvalidRequest: The name or a tag contains NUL, which PostgreSQL cannot store.
        """
        limits = self._limits.requests
        if len(name) > limits.name_chars:
            raise LimitExceeded(
                f"name has {len(name)} characters, {limits.name_chars} are allowed"
                " (limit name_chars).",
                field="name",
            )
        if len(tags) > limits.tags or max(map(len, tags), default=0) > limits.name_chars:
            raise LimitExceeded(
                f"At most {limits.tags} tags of {limits.name_chars} characters are allowed"
                " (limits tags, name_chars).",
                field="tags",
            )
        if "\0" in name or "\0" in "".join(tags):
            raise InvalidRequest("name and tags must not contain the character NUL.", field="name")

    def _check_outputs(self, submission: Submission, device: Device) -> None:
        if not submission.outputs:
            raise InvalidRequest("outputs must name at least one output.", field="outputs")
        for output in submission.outputs:
            if output not in OUTPUTS or output not in device.spec.outputs:
                if not submission.is_passed_on:
                    # A program of another kind explains the output better.
                    check_format(submission, device)
                known = ", ".join(device.spec.outputs)
                raise InvalidRequest(
                    f"outputs: {device.name} gives {known}, not {output!r}.", field="outputs"
                )

    async def _read(
        self,
        actor: Actor,
        submission: Submission,
        device: Device,
        connectivity: Sequence[Pair] | None,
        *,
        with_delays: bool,
    ) -> Checked:
        check_format(submission, device)
        maximum = self._limits.programs.program_json_bytes
        if not submission.is_uploaded and len(submission.source) > maximum:
            raise LimitExceeded(
                f"The program has {len(submission.source)} bytes,"
                f" {maximum} are allowed (limit program_json_bytes).",
                field="program",
            )
        try:
            checked = await self._parse_once(actor, submission, device, with_delays=with_delays)
        except InvalidProgram as error:
            raise with_detected_format(error, submission, device) from None
        check_program(checked.summary, submission, device, self._device_limits.circuits(device))
        from qwicket.gateway.compilation import in_gates_of  # late: a server starts without it

        found = await in_gates_of(
            *(device, connectivity, submission.format, checked, self._parsers, actor.account),
            submission.seed,
        )
        check_connected(found.summary, device, connectivity)
        return found

    async def _parse_once(
        self, actor: Actor, submission: Submission, device: Device, *, with_delays: bool
    ) -> Checked:
        if self._readings is None:
            return await self._parse(actor, submission, device, with_delays=with_delays)
        key = (device.name if device.spec.photonic else "", with_delays)
        if key not in self._readings:
            found: Checked | InvalidRequest | LimitExceeded
            try:
                found = await self._parse(actor, submission, device, with_delays=with_delays)
            except (InvalidRequest, LimitExceeded) as error:
                found = error
            self._readings[key] = found
        found = self._readings[key]
        if not isinstance(found, Checked):
            raise found
        return found

    async def _parse(
        self, actor: Actor, submission: Submission, device: Device, *, with_delays: bool
    ) -> Checked:
        checked = programs.read_small(
            submission.format,
            submission.source,
            self._small_limits,
            submission.inputs,
            with_delays=with_delays,
        )
        if checked is None:
            checked = await self._read_apart(actor, submission, device, with_delays=with_delays)
        return checked

    async def _read_apart(
        self, actor: Actor, submission: Submission, device: Device, *, with_delays: bool
    ) -> Checked:
        spec = device.spec.photonic
        found = await self._parsers.read(
            submission.format,
            submission.source,
            submission.inputs,
            account=actor.account,
            layout=programs.Layout(device.name, spec) if spec is not None else None,
            with_delays=with_delays,
        )
        if isinstance(found, programs.Refusal):
            raise found.error()
        return found

    def _plan(
        self,
        submission: Submission,
        device: Device,
        summary: Summary,
        noise: NoiseModel | None,
        calibration: Calibrated | None,
    ) -> tuple[RunOptions, engines.Estimate]:
        """Return a job's options and estimate; with `MPS_ENGINE` if all others exceed limits."""
        options = _options(submission, device, noise, calibration, self._limits)
        if not device.is_simulated:
            self._device_limits.check_width(summary, device, options.engine)
            return options, _estimate_unsimulated(summary, options, device)
        try:
            return options, self._checked_estimate(summary, options, device)
        except LimitExceeded:
            with_mps = structs.replace(options, engine=MPS_ENGINE)
            if not options.engine and MPS_ENGINE in self._device_limits.installed_engines(device):
                with suppress(LimitExceeded, InvalidRequest):
                    return with_mps, self._checked_estimate(summary, with_mps, device)
            raise

    def _checked_estimate(
        self, summary: Summary, options: RunOptions, device: Device
    ) -> engines.Estimate:
        self._device_limits.check_width(summary, device, options.engine)
        objection = engines.unsupported_reason(summary, options) if options.engine else None
        if objection is not None:
            raise InvalidRequest(
                f"engine: {options.engine} does not run this: {objection}.", field="engine"
            )
        estimate = _estimate(summary, options)
        self._device_limits.check_cost(estimate, device)
        return estimate

    def _noise(
        self, submission: Submission, device: Device, calibration: Calibrated | None
    ) -> NoiseModel | None:
        """Return the requested noise, or the fixed noise of a twin."""
        if calibration is None or not device.is_simulated:
            return devices.noise_models()[submission.noise] if submission.noise else None
        return self._noise_of_twin(device, calibration)

    def _noise_of_twin(self, device: Device, calibration: Calibrated) -> NoiseModel:
        if calibration.id not in self._twins:
            self._twins[calibration.id] = twins.noise(*_machine(device, calibration))
        return self._twins[calibration.id]

    async def expected_noise(
        self, submission: Submission, device: Device
    ) -> NoiseModel | twins.Machine | None:
        """Return the noise that a job is expected to have; None if it has none, or is unknown.

        Of a device that is not simulated it is that of its twin.
        """
        snapshot = await self._snapshots.get(device.name)
        calibration = snapshot.calibration if snapshot else None
        if device.is_simulated:
            return self._noise(submission, device, calibration)
        return _machine(device, calibration) if calibration else None


def _machine(device: Device, calibration: Calibrated) -> twins.Machine:
    spec = device.spec
    return twins.Machine(calibration.body, spec.qubits, spec.native_gates, device.name)


def _options(
    submission: Submission,
    device: Device,
    noise: NoiseModel | None,
    calibration: Calibrated | None,
    limits: Limits,
) -> RunOptions:
    """Return the options for the engine. Only twins have symmetrised runs."""
    is_twin = noise is not None and calibration is not None
    is_symmetrised = submission.debias and is_twin
    is_fully_connected = calibration is not None and calibration.body.connectivity is None
    return RunOptions(
        shots=submission.shots,
        seed=random_bits(63) if submission.seed is None else submission.seed,
        outputs=submission.outputs,
        noise=noise,
        engine=submission.engine,
        max_outcomes=limits.jobs.outcomes,
        variants=_VARIANTS if is_symmetrised else 1,
        alike=device.spec.qubits if is_symmetrised and is_fully_connected else 0,
        dry_run=submission.dry_run,
        photonic=limits.photonic if device.family == "photonic" else None,
    )


def _estimate_unsimulated(
    summary: Summary, options: RunOptions, device: Device
) -> engines.Estimate:
    """Estimate the time of a job that runs elsewhere. Forecasts correct it by measured times."""
    seconds = device.spec.shot_s * options.shots * summary.n_circuits
    return engines.Estimate(0, seconds, 0)


def _estimate(summary: Summary, options: RunOptions) -> engines.Estimate:
    """Estimate a job. Each variant of a symmetrised job is a separate run."""
    if options.variants == 1:
        return engines.estimate(summary, options)
    shots = max(1, options.shots // options.variants)
    one = engines.estimate(summary, structs.replace(options, shots=shots))
    return structs.replace(one, seconds=one.seconds * options.variants)


def _new_job(
    actor: Actor,
    submission: Submission,
    checked: Checked,
    options: RunOptions,
    estimate: engines.Estimate,
    now: int,
    **fields: Any,
) -> NewJob:
    """Return the job to store; `fields` are those that differ from their defaults."""
    summary = checked.summary
    n_circuits = summary.n_parts or summary.n_circuits
    shots = options.shots
    if summary.mitigated_shots:  # each part has many runs, which budgets have to count
        shots = -(-summary.mitigated_shots // n_circuits)
    program_format = programs.FORMATS.get(submission.format)
    return NewJob(
        id=new_id(now),
        account=actor.account,
        project=actor.project,
        device=submission.device,
        dialect=submission.dialect,
        group=submission.group,
        name=submission.name,
        tags=submission.tags,
        shots=shots,
        n_circuits=n_circuits,
        n_qubits=summary.n_qubits,
        n_ops_1q=summary.n_ops_1q,
        n_ops_2q=summary.n_ops_2q,
        est_bytes=estimate.bytes,
        est_seconds=0.0 if options.dry_run else estimate.seconds,
        priority=submission.priority,
        format=submission.format,
        source=checked.completed or submission.source,
        inputs=submission.inputs,
        circuits=checked.circuits,
        options=_encode(options),
        reader_version=program_format.version if program_format else 0,
        vendor_fields=submission.vendor_fields,
        now=now,
        idempotency_key=submission.idempotency_key,
        digest=_fingerprint(submission) if submission.idempotency_key else b"",
        key_life_ms=submission.key_life_ms,
        slurm_job=submission.slurm_job,
        slurm_account=submission.slurm_account,
        choice=submission.choice,
        **fields,
    )


def _passed_on(actor: Actor, submission: Submission, device: Device, now: int) -> NewJob:
    """Return a job whose program only the device's own server reads."""
    options = RunOptions(shots=submission.shots, seed=0, outputs=())
    checked = Checked(Summary(device.family, 1, 0, 0, 0), b"")
    estimate = _estimate_unsimulated(checked.summary, options, device)
    cost = device.spec.cost
    return _new_job(actor, submission, checked, options, estimate, now, cost=cost)


def _refused(
    actor: Actor, submission: Submission, refusal: InvalidRequest | LimitExceeded, now: int
) -> NewJob:
    """Return a failed job for an invalid program, which can never run."""
    options = RunOptions(shots=submission.shots, seed=0, outputs=())
    error = Failure(refusal.code, refusal.detail)
    return _new_job(actor, submission, _NO_PROGRAM, options, _NO_ESTIMATE, now, error=error)


def _fingerprint(submission: Submission) -> bytes:
    """Return a digest that distinguishes submissions with the same idempotency key.

    It ignores fields with default values, so that a field of a later version does not change it,
    the order of inputs, and Slurm's job, because Slurm may run a client again in another one.
    """
    if submission.key_digest:
        return submission.key_digest
    if submission.slurm_job or submission.slurm_account:
        submission = structs.replace(submission, slurm_job=None, slurm_account=None)
    return hashlib.sha256(msgspec.msgpack.encode(submission, order="sorted")).digest()
