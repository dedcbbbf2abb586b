"""The wire of each dialect: what a submission and the read of its result look like.

Every program differs from the others of its dialect, so that the check finds one that became two
jobs. Each `POST` is repeated where the vendor's client repeats it, and no further: a submission
whose response was lost for good may be a job or none.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import quote, urlencode

import numpy as np
from qiskit import QuantumCircuit

from chaos.clients.loop import CODES, SHOTS, code, coded
from chaos.mass import USERS
from chaos.mass.connection import Answer, Connection, Lost, NotConnected
from qwicket.gateway import sigv4
from support import ibm, pubs, xanadu
from support.braket import BUCKET, PREFIX, SV1, action

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_FIRST_POLL_S: Final = 0.05
_LONGEST_POLL_S: Final = 0.5
_REGION: Final = "us-east-1"
_LONG: Final = 200
"""One of so many native jobs is long, so that what is killed and paused meets jobs that run."""
_QUBITS_OF_LONG: Final = 18


class Refused(Exception):
    """The response is an error after which the client does not repeat the request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.body[:200]!r}")
        self.status = answer.status


class Ended(Exception):
    """The job has no result: it failed or was cancelled."""


class Account(NamedTuple):
    """Who submits: a token, and a key pair for Amazon Braket alone."""

    token: str
    key_id: str = ""
    secret: str = ""


class Repeats(NamedTuple):
    """When a vendor's client sends a submission again.

    Attributes:
        attempts: How often it sends it at most.
        statuses: After these responses.
        after_loss: Whether also after a lost connection; without one it always may.
    """

    attempts: int
    statuses: frozenset[int]
    after_loss: bool = False


ONCE: Final = Repeats(1, frozenset())
_BY_IBM: Final = frozenset({500, 502, 503, 504, 520, 521, 522, 524})
_READS: Final = Repeats(1 << 30, frozenset({409, 429, *range(500, 600)}), after_loss=True)


class Dialect(ABC):
    """One user of a dialect.

    Attributes:
        submissions: When a submission is repeated.
    """

    submissions: ClassVar[Repeats]

    def __init__(self, account: Account, connection: Connection) -> None:
        self.account = account
        self._connection = connection

    def wanted(self, number: int) -> Any:
        """Return the summary that the result of a submission must have."""
        return {code(number): SHOTS}

    @abstractmethod
    async def submit(self, number: int) -> str:
        """Return the id of a new job."""

    @abstractmethod
    async def result(self, job: str) -> tuple[Any, Any]:
        """Wait for a job's end; return the summary of its result, and the whole of it.

        Raises:
            Ended: It has none.
        """

    async def get(self, path: str) -> Any:
        return json.loads((await self._send(_READS, "GET", path, b"")).body)

    async def post(self, path: str, body: Any, *headers: str) -> Any:
        text, kind = json.dumps(body).encode(), "Content-Type: application/json"
        answer = await self._send(self.submissions, "POST", path, text, kind, *headers)
        return json.loads(answer.body)

    async def poll(self, path: str, *names: str, done: str, running: Iterable[str]) -> Any:
        """Read a job until it has ended; `names` lead to its status."""
        pause_s = _FIRST_POLL_S
        while True:
            await asyncio.sleep(pause_s)
            found = status = await self.get(path)
            for name in names:
                status = status[name]
            if status == done:
                return found
            if status not in running:
                raise Ended(f"the job is {status}")
            pause_s = min(2 * pause_s, _LONGEST_POLL_S)

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        """Return the headers that say who asks."""
        return (f"Authorization: Bearer {self.account.token}",)

    async def _send(
        self, repeats: Repeats, method: str, path: str, body: bytes, *headers: str
    ) -> Answer:
        pause_s = _FIRST_PAUSE_S
        for attempt in range(1, repeats.attempts + 1):
            try:
                answer = await self._connection.ask(self._request(method, path, body, headers))
            except Lost as error:
                is_over = not (repeats.after_loss or isinstance(error, NotConnected))
                if is_over or attempt == repeats.attempts:
                    raise
                await asyncio.sleep(pause_s)
            else:
                if answer.status < 400:
                    return answer
                if answer.status not in repeats.statuses or attempt == repeats.attempts:
                    raise Refused(answer)
                await asyncio.sleep(max(pause_s, answer.retry_after_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError

    def _request(self, method: str, path: str, body: bytes, headers: Iterable[str]) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: mass",
            *self.head(method, path, body),
            *headers,
        ]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Native(Dialect):
    """Qwicket's own, with idempotency keys; the result often comes with the first response."""

    submissions = Repeats(5, frozenset({408, 429, 502, 503, 504}), after_loss=True)

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self._results: dict[str, Any] = {}

    async def submit(self, number: int) -> str:
        body = {"program": _ionq(number, _LONG), "device": "simulator", "shots": SHOTS}
        key = f"Idempotency-Key: {number}"
        found = await self.post("/v1/jobs?wait=1&include=result", body, key)
        if found.get("result") is not None:
            self._results[found["id"]] = found["result"]
        return str(found["id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        found = self._results.pop(job, None) or await self.get(f"/v1/jobs/{job}/result?wait=20")
        return coded(found["parts"][0]["counts"])


class IonQ(Dialect):
    """As ionq-core: three attempts, and no key."""

    submissions = Repeats(3, frozenset({429, 500, 502, 503, *range(520, 530)}))

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        return (f"Authorization: apiKey {self.account.token}",)

    def wanted(self, number: int) -> Any:
        return {code(number): 100}

    async def submit(self, number: int) -> str:
        body = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": SHOTS}
        found = await self.post("/ionq/v0.4/jobs", {**body, "input": _ionq(number)})
        return str(found["id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        path = f"/ionq/v0.4/jobs/{job}"
        await self.poll(path, "status", done="completed", running=("submitted", "ready", "started"))
        found = await self.get(f"{path}/results/probabilities")
        return coded(
            {key: round(100 * share) for key, share in found.items()},
            lambda key: format(int(key) % CODES, "03b"),
        )


class QBraid(Dialect):
    """As qbraid: its retries know a list of statuses, and repeat no POST that was lost."""

    submissions = Repeats(4, _BY_IBM - {521})

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        return (f"X-API-KEY: {self.account.token}",)

    async def submit(self, number: int) -> str:
        text = _qasm(number, 'include "stdgates.inc";\n', "rz")
        body = {"deviceQrn": "qbraid:qbraid:sim:statevector", "shots": SHOTS}
        program = {"format": "qasm3", "data": text}
        found = await self.post("/qbraid/api/v1/jobs", {**body, "program": program})
        return str(found["data"]["jobQrn"])

    async def result(self, job: str) -> tuple[Any, Any]:
        path = f"/qbraid/api/v1/jobs/{job}"
        running = ("INITIALIZING", "QUEUED", "RUNNING")
        await self.poll(path, "data", "status", done="COMPLETED", running=running)
        found = await self.get(f"{path}/result")
        return coded(found["data"]["resultData"]["measurementCounts"])


class Qlued(Dialect):
    """As qiskit-cold-atom, which repeats nothing."""

    submissions = ONCE

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        return ()

    def wanted(self, number: int) -> Any:
        return {"shots": SHOTS + number % CODES}

    async def submit(self, number: int) -> str:
        turn = ["rlx", [0], [1.5 + _angle(number)]]
        experiment = {"instructions": [["load", [0], [20]], turn, ["measure", [0], []]]}
        job = {"experiment_0": {**experiment, "shots": SHOTS + number % CODES, "num_wires": 1}}
        body = {"job": json.dumps(job), "token": self.account.token}
        return str((await self.post("/qlued/api/v2/singlequdit/post_job", body))["job_id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        query = urlencode({"token": self.account.token, "job_id": job})
        path = f"/qlued/api/v2/singlequdit/get_job_result?{query}"
        found = await self.poll(path, "status", done="DONE", running=("INITIALIZING", "QUEUED"))
        memory = found["results"][0]["data"]["memory"]
        return {"shots": len(memory)}, memory


class WithAccessToken(Dialect):
    """Signs in at its first request, and again once its access token is refused."""

    header: ClassVar[str]

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self._access_token = ""

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        return (f"{self.header}{self._access_token}",) if self._access_token else ()

    @abstractmethod
    async def sign_in(self) -> str:
        """Return a new access token."""

    async def _send(
        self, repeats: Repeats, method: str, path: str, body: bytes, *headers: str
    ) -> Answer:
        try:
            return await super()._send(repeats, method, path, body, *headers)
        except Refused as error:
            if error.status != 401:
                raise
        self._access_token = ""
        self._access_token = await self.sign_in()
        return await super()._send(repeats, method, path, body, *headers)

    async def _exchange(self, name: str, path: str, body: str, kind: str) -> str:
        headers = (f"Content-Type: {kind}",)
        answer = await super()._send(_READS, "POST", path, body.encode(), *headers)
        return str(json.loads(answer.body)[name])


class IBMQ(WithAccessToken):
    """As qiskit-ibmq-provider of 2019: the program comes with the submission."""

    submissions = Repeats(6, _BY_IBM - {521})
    header = "X-Access-Token: "
    base = "/ibm/api"

    async def sign_in(self) -> str:
        body = json.dumps({"apiToken": self.account.token})
        return await self._exchange("id", "/ibm/api/users/loginWithToken", body, "application/json")

    async def submit(self, number: int) -> str:
        flips = [{"name": "x", "qubits": [bit]} for bit in range(3) if number >> bit & 1]
        turn = {"name": "rz", "qubits": [0], "params": [_angle(number)]}
        plus = {"name": "h", "qubits": [3]}
        circuit = ibm.experiment(*flips, turn, plus, *ibm.measure(0, 1, 2, 3), qubits=4)
        program = ibm.qobj(circuit, shots=SHOTS, memory_slots=4, n_qubits=4)
        body = {"qObject": program, "backend": {"name": ibm.SIMULATOR}}
        return str((await self.post(f"{self.base}/Jobs", body))["id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        running = ("CREATING", "CREATED", "VALIDATING", "VALIDATED", "QUEUED", "RUNNING")
        path = f"{self.base}/Jobs/{job}"
        found = await self.poll(path, "status", done="COMPLETED", running=running)
        counts = found["qObjectResult"]["results"][0]["data"]["counts"]
        return coded({format(int(key, 16), "04b"): count for key, count in counts.items()})


class Runtime(IBMQ):
    """As qiskit-ibm-runtime on the classic channel: the content is the key on the server."""

    submissions = Repeats(6, _BY_IBM)
    base = "/ibm/runtime/classic"

    async def submit(self, number: int) -> str:
        pub = [_CIRCUITS[number % CODES], pubs.array([_angle(number)]), SHOTS]
        body = {"program_id": "sampler", "backend": ibm.SIMULATOR, "params": pubs.params(pub)}
        return str((await self.post(f"{self.base}/jobs", body))["id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        path = f"{self.base}/jobs/{job}"
        running = ("Queued", "Running")
        query = "?exclude_params=true"
        await self.poll(path + query, "state", "status", done="Completed", running=running)
        found = await self.get(f"{path}/results")
        data = found["__value__"]["pub_results"][0]["__value__"]["data"]["__value__"]
        shots = pubs.unpacked(data["fields"]["meas"]["__value__"]["array"])
        return coded(Counter(format(int(each), "04b") for each in shots.ravel()))


class Xanadu(WithAccessToken):
    """As xanadu-cloud-client, which repeats a request only with a new access token."""

    submissions = ONCE
    header = "Authorization: Bearer "

    def wanted(self, number: int) -> Any:
        return {"equal": SHOTS + number % CODES}

    async def sign_in(self) -> str:
        form = {"grant_type": "refresh_token", "refresh_token": self.account.token}
        body = urlencode({**form, "client_id": "public"})
        kind = "application/x-www-form-urlencoded"
        return await self._exchange("access_token", xanadu.TOKEN_PATH, body, kind)

    async def submit(self, number: int) -> str:
        circuit = xanadu.pair(SHOTS + number % CODES)
        body = {"name": f"job {number}", "target": "simulon_gaussian", "circuit": circuit}
        return str((await self.post("/jobs", {**body, "language": "blackbird:1.0"}))["id"])

    async def result(self, job: str) -> tuple[Any, Any]:
        running = ("open", "queued")
        await self.poll(f"/jobs/{job}", "status", done="complete", running=running)
        answer = await self._send(_READS, "GET", f"/jobs/{job}/result", b"")
        with np.load(io.BytesIO(answer.body), allow_pickle=False) as archive:
            samples = archive["arr_0"].tolist()
        return {"equal": sum(first == second for first, second in samples)}, samples


class Braket(Dialect):
    """As botocore: three attempts under the same client token, each signed anew."""

    submissions = Repeats(3, frozenset({429, 500, 503}), after_loss=True)

    def head(self, method: str, path: str, body: bytes) -> Iterable[str]:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": "mass", "x-amz-date": now}
        service: str = "s3" if path.startswith("/s3/") else "braket"
        if service == "s3":
            headers["x-amz-content-sha256"] = digest
        names = tuple(sorted(headers))
        unsigned = sigv4.Signature(self.account.key_id, now[:8], _REGION, service, now, names, "")
        values = {name: (value,) for name, value in headers.items()}
        value = sigv4.sign(unsigned, self.account.secret, method, path, "", values, digest)
        headers["authorization"] = (
            f"{sigv4.ALGORITHM} Credential={self.account.key_id}/{unsigned.credential_scope},"
            f" SignedHeaders={';'.join(names)}, Signature={value}"
        )
        return (f"{name}: {text}" for name, text in headers.items() if name != "host")

    async def submit(self, number: int) -> str:
        body = {
            "deviceArn": SV1,
            "action": action(_qasm(number, "", "rz")),
            "shots": SHOTS,
            "outputS3Bucket": BUCKET,
            "outputS3KeyPrefix": PREFIX,
            "clientToken": f"chaos-{number:030}",
        }
        return str((await self.post("/braket/quantum-task", body))["quantumTaskArn"])

    async def result(self, job: str) -> tuple[Any, Any]:
        path = f"/braket/quantum-task/{quote(job, safe='')}"
        running = ("CREATED", "QUEUED", "RUNNING")
        await self.poll(path, "status", done="COMPLETED", running=running)
        task = job.rpartition("/")[2]
        found = await self.get(f"/s3/{BUCKET}/{PREFIX}/{task}/results.json")
        shots = ("".join(map(str, shot)) for shot in found["measurements"])
        return coded(Counter(shots), lambda key: key[2::-1])


DIALECTS: Final[dict[str, type[Dialect]]] = dict(
    zip(USERS, (Native, IonQ, QBraid, Braket, IBMQ, Runtime, Xanadu, Qlued), strict=True)
)


def _angle(number: int) -> float:
    """Return the angle by which a program differs from the others; it changes no result."""
    return (number + 1) * 1e-7


def _flips(number: int) -> list[int]:
    return [bit for bit in range(3) if number >> bit & 1]


def _ionq(number: int, long: int = 0) -> dict[str, Any]:
    gates: list[dict[str, Any]] = [{"gate": "x", "target": bit} for bit in _flips(number)]
    gates.append({"gate": "rz", "target": 0, "rotation": _angle(number)})
    gates.append({"gate": "h", "target": 3})
    qubits = 4
    if long and number % long == 0:
        qubits = _QUBITS_OF_LONG
        gates += [
            {
                "gate": "rx",
                "target": 4 + each % (qubits - 4),
                "control": 4 + (each + 1) % (qubits - 4),
                "rotation": 0.1,
            }
            for each in range(150)
        ]
    return {"gateset": "qis", "qubits": qubits, "circuit": gates}


def _qasm(number: int, include: str, turn: str) -> str:
    flips = "\n".join(f"x q[{bit}];" for bit in _flips(number))
    return (
        f"OPENQASM 3.0;\n{include}qubit[4] q;\nbit[4] c;\n{flips}\n"
        f"{turn}({_angle(number):.7f}) q[0];\nh q[3];\nc = measure q;\n"
    )


def _circuit(number: int) -> dict[str, Any]:
    made = QuantumCircuit(4)
    for bit in _flips(number):
        made.x(bit)
    made.rz(pubs.THETA, 0)
    made.h(3)
    made.measure_all()
    return pubs.circuit(made)


_CIRCUITS: Final = [_circuit(number) for number in range(CODES)]
