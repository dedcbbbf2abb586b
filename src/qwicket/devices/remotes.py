"""Where a device at another cloud is: the table `[remote]` of its file, and the key."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from qwicket.model.pass_through import HTTP_REQUEST
from qwicket.model.secret_files import mode_for_others
from qwicket.registrations import CloudKind, vendors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qwicket.model.devices import Device

_MAX_KEY_BYTES: Final = 4096
_KINDS: Final = (
    CloudKind(
        name="qwicket",
        driver="qwicket.drivers.remote.qwicket:QwicketCloud",
        language="openqasm3",
        clouds="another Qwicket; devices of qubits, photons and atoms",
        found_by="its tag; it is also its idempotency key",
        lacks=("price",),
    ),
)


@cache
def kinds() -> Mapping[str, CloudKind]:
    """Return the APIs that other clouds may speak, by their names in device files."""
    every = (*_KINDS, *[kind for vendor in vendors() for kind in vendor.clouds])
    return {kind.name: kind for kind in every}


class NoKey(Exception):
    """The key of a remote device cannot be read; the text names the field, without the key."""


class Remote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another cloud that runs the jobs of a device.

    Attributes:
        kind: API that it speaks.
        url: Its address; with the version, or that of the sign-in, where its API has such.
        device: Name of the device there.
        iam_url: Address at which the key is exchanged for access tokens; by default `/iam` below
            `url`, as at a Qwicket.
        instance: CRN of the account's instance there.
        key_env: Environment variable with the key of the account there.
        key_file: File with this key, which only its owner can read; instead of `key_env`.
        profile: Profile with this key in the vendor's own file; instead of `key_env`.
        role_arn: Role of which the account's requests bear temporary keys, for the kinds that may
            have one; needs `sts_url`.
        sts_url: Address at which the key is exchanged for those of the role.
        region: Region that the cloud's signatures name, for the kinds that need it.
        bucket: Address of the bucket in which the cloud puts results, for the kinds that need it.
        jobs_at_once: Maximum number of jobs that one server has there, waiting or running.
        poll_s: Minimum time in seconds between two polls of the states of jobs.
        mirror_s: Time in seconds between two reads of the device's own state; after reads that
            fail, up to eight times as long.
        timeout_s: Seconds to wait for one response.
        pass_through: Whether the device takes only requests of its own dialect, which are passed on
            as they are; `--listen` gives the address at which it takes them.
        settle_s: Seconds after which a request whose response was lost has certainly been
            processed. A job that is not in the cloud's list then is sent again, or counts as lost.
            At least `timeout_s`: so long may a server that lost the job's lease still send it.
        keeps_jobs_s: Seconds for which the cloud certainly lists a job after its end; above
            `settle_s`. Once so much time has passed since a server stored that it will send a job,
            a list without the job proves nothing: the job may have ended and been deleted. No
            vendor states this time, so it is a day unless the file says otherwise.
    """

    kind: str
    url: str
    device: str
    iam_url: str = ""
    instance: str = ""
    key_env: str = ""
    key_file: str = ""
    profile: str = ""
    role_arn: str = ""
    sts_url: str = ""
    region: str = ""
    bucket: str = ""
    jobs_at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    poll_s: Annotated[float, msgspec.Meta(ge=0.05, le=3600)] = 1.0
    mirror_s: Annotated[float, msgspec.Meta(ge=0.2, le=86400)] = 60.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.2, le=600)] = 30.0
    settle_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 60.0
    keeps_jobs_s: Annotated[float, msgspec.Meta(ge=0.2, le=1e9)] = 86_400.0
    pass_through: bool = False

    def __post_init__(self) -> None:
        if self.kind not in kinds():
            raise ValueError(f"kind {self.kind[:64]!r} is none of {', '.join(kinds())}")
        kind = kinds()[self.kind]
        given = [each for each in (self.key_env, self.key_file, self.profile) if each]
        if len(given) != 1 or (self.profile and not kind.profile):
            ways = "key_env, key_file or profile" if kind.profile else "key_env or key_file"
            raise ValueError(f"set {ways}, one of them")
        for field in ("region", "bucket"):
            if bool(getattr(self, field)) != (field in kind.needs):
                needs = "needs" if field in kind.needs else "has no"
                raise ValueError(f"the kind {self.kind} {needs} {field}")
        for field in ("iam_url", "instance", "role_arn", "sts_url"):
            if getattr(self, field) and field not in kind.takes:
                raise ValueError(f"the kind {self.kind} has no {field}")
        if bool(self.role_arn) != bool(self.sts_url):
            raise ValueError("set role_arn and sts_url, or neither")
        for field in ("url", "iam_url", "sts_url", "bucket"):
            address = getattr(self, field)
            if (address or field == "url") and not address.startswith(("http://", "https://")):
                raise ValueError(f"{field} must begin with https:// or http://")
        if self.settle_s < self.timeout_s:
            raise ValueError(
                f"settle_s must be at least timeout_s, which is {self.timeout_s:g}: so long may a"
                " server that has lost a job still be waiting for the response to its submission"
            )
        if self.keeps_jobs_s <= self.settle_s:
            raise ValueError(
                f"keeps_jobs_s must be above settle_s, which is {self.settle_s:g}: before, no list"
                " proves that a job is absent"
            )
        passing = [name for name, kind in kinds().items() if kind.credentials]
        if self.pass_through and self.kind not in passing:
            raise ValueError(f"pass_through is possible for the kinds {', '.join(passing)}")

    def completed(self, device: Device) -> Device:
        """Return the device with the formats that follow from the kind of its cloud."""
        spec = device.spec
        if self.pass_through:
            own = (HTTP_REQUEST,)
            spec = msgspec.structs.replace(spec, formats=own, formats_as_written=own)
            return msgspec.structs.replace(device, spec=spec, dialects=("native",))
        kind = kinds()[self.kind]
        taken = spec.formats_as_written or spec.formats if kind.formats is None else kind.formats
        spec = msgspec.structs.replace(spec, formats_as_written=taken, rewritten_as=kind.language)
        return msgspec.structs.replace(device, spec=spec)

    def key(self) -> str:
        """Return the key of the account there.

        Raises:
            NoKey: The variable is not set, or the file cannot be used.
        """
        kind = kinds()[self.kind]
        if self.profile:
            found: str = resolve_name(kind.profile)(self.profile)
            return found
        if self.key_env:
            found = os.environ.get(self.key_env, "").strip()
            if not found:
                raise NoKey(f"key_env: the environment variable {self.key_env} is not set")
            return found
        path = Path(self.key_file).expanduser()
        lines = secret_text(path, "key_file").strip().splitlines()
        found = " ".join(line.strip() for line in lines)
        if not found.isprintable() or not 1 <= len(lines) <= kind.key_lines:
            number = "one line" if kind.key_lines == 1 else f"1 to {kind.key_lines} lines"
            raise NoKey(f"key_file: {path} must have {number} of printable ASCII, the key")
        return found


def secret_text(path: Path, field: str) -> str:
    """Return the text of a file with keys; empty if it is too long or not ASCII.

    Args:
        path: The file.
        field: Field of the device's place that the error names.

    Raises:
        NoKey: The file cannot be read, or can be read by others.
    """
    try:
        with path.open("rb") as file:
            mode = mode_for_others(file)
            text = file.read(_MAX_KEY_BYTES + 1)
    except OSError as error:
        raise NoKey(f"{field}: {path} cannot be read: {error.strerror}") from None
    if mode:
        raise NoKey(f"{field}: others can read {path} (mode {mode:04o}): chmod 600 {path}")
    return text.decode() if text.isascii() and len(text) <= _MAX_KEY_BYTES else ""
