"""A Bell pair through the unmodified qiskit-ionq package; only the address is ours."""

import os

from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider

url = os.environ["QWICKET_URL"] + "/ionq/v0.4"
os.environ["IONQ_API_URL"] = url  # this client looks up qubit counts by the environment alone

bell = QuantumCircuit(2, 2)
bell.h(0)
bell.cx(0, 1)
bell.measure([0, 1], [0, 1])

provider = IonQProvider(os.environ["QWICKET_TOKEN"], url)
job = provider.get_backend("ionq_simulator").run(bell, shots=1000)
print("The same through qiskit-ionq:\n")
print(f"  job {job.job_id()}")
print(f"  counts        {dict(job.get_counts())}")
print(f"  probabilities {dict(job.get_probabilities())}")
