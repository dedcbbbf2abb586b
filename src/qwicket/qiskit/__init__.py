"""Qwicket for users of Qiskit: devices as backends, and a sampler.

    provider = QwicketProvider()
    backend = provider.get_backend("qwicket_line5")
    job = backend.run(transpile(circuit, backend), shots=1000)
    result = SamplerV2(mode=backend).run([isa_circuit]).result()

It imports Qwicket's client and nothing of the server. It needs Qiskit 2 (extra `qiskit`).
"""

from importlib import import_module

from qwicket.extras import NotInstalled

try:
    import_module("qiskit")
except ImportError as error:
    raise NotInstalled("qwicket.qiskit", "qiskit") from error

from qwicket.qiskit.backend import QwicketBackend
from qwicket.qiskit.jobs import QwicketJob
from qwicket.qiskit.provider import QwicketProvider
from qwicket.qiskit.sampler import SamplerJob, SamplerV2

__all__ = ["QwicketBackend", "QwicketJob", "QwicketProvider", "SamplerJob", "SamplerV2"]
