"""Reads results of one cloud, and checks them as those of a lab's agent are checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.circuits.outcomes import Completion, encode
from qwicket.drivers.remote.clouds import InvalidResult
from qwicket.model.errors import InvalidRequest, LimitExceeded
from qwicket.model.failures import Failure
from qwicket.model.pass_through import HTTP_REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qwicket.circuits.outcomes import Outcome
    from qwicket.drivers.remote.clouds import Cloud, RemoteProgram
    from qwicket.model.limits import Limits

_ENGINE_CHARS: Final = 64
"""Maximum length of an engine's name and of its version. A longer name keeps its end, which says
most."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class ResultReader:
    """Reads results of one cloud.

    Args:
        cloud: The cloud.
        scrubbed: Returns a text of the cloud without the key.
        limits: Bounds on results.
    """

    def __init__(self, cloud: Cloud, scrubbed: Callable[[str], str], limits: Limits) -> None:
        self._cloud = cloud
        self._scrubbed = scrubbed
        self._limits = limits

    def read(self, id: str, program: RemoteProgram) -> tuple[Completion, float]:
        """Return the checked result of a completed job and its run time in seconds; blocks.

        Raises:
            InvalidResult: It is not a result of this job, or is too large.
            NoSuchJob: The job is gone.
            CloudError: It could not be read.
        """
        outcomes, seconds = self._cloud.outcomes(id, program)
        try:
            return self._encode_and_check(outcomes, program), seconds
        except (InvalidRequest, LimitExceeded) as error:
            raise InvalidResult(str(error)) from None

    def _encode_and_check(
        self, outcomes: Sequence[Outcome | Failure], program: RemoteProgram
    ) -> Completion:
        from qwicket.circuits import outcome_checks  # imported late, because it imports NumPy

        parts = tuple(
            self._scrubbed_failure(each)
            if isinstance(each, Failure)
            else encode(self._scrubbed_outcome(each))
            for each in outcomes
        )
        if program.format == HTTP_REQUEST:
            return parts
        outcome_checks.check(
            [(k, each) for k, each in enumerate(parts) if not isinstance(each, Failure)],
            program.frames,
            program.options,
            self._limits,
            is_simulated=self._cloud.is_simulated,
        )
        return parts

    def _scrubbed_failure(self, failure: Failure) -> Failure:
        code = self._scrubbed(failure.code)
        code = code if _CODE.fullmatch(code) else "remote_failed"
        return Failure(code, self._scrubbed(failure.message))

    def _scrubbed_outcome(self, outcome: Outcome) -> Outcome:
        return msgspec.structs.replace(
            outcome,
            engine=self._scrubbed(outcome.engine)[-_ENGINE_CHARS:],
            engine_version=self._scrubbed(outcome.engine_version)[:_ENGINE_CHARS],
        )
