"""Answers of submissions that are lost between this server and the unmodified client."""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from qiskit_ibm_runtime import SamplerV2
from qiskit_ibm_runtime.exceptions import IBMRuntimeError

from support.cutting_proxy import Cut, CuttingProxy, TimingOutProxy
from support.platform_client import BASE, bell, connect, fitted
from support.vendors import until

SUBMISSION = "POST /ibm/runtime/experimental/api/v1/jobs "


class Behind:
    """A client behind a proxy, whose jobs have a tag of their own."""

    def __init__(self, proxy):
        self.tag = f"lost-{time.time_ns()}"
        self.service = connect(url=f"{proxy.url}/ibm/runtime/experimental/api/v1")
        backend = self.service.backend("qwicket_simulator")
        (self.isa,) = fitted(bell(), backend)
        options = {"environment": {"job_tags": [self.tag]}}
        self.sampler = SamplerV2(backend, options=options)

    def run(self):
        return self.sampler.run([self.isa], shots=10)

    def ids(self):
        return {job.job_id() for job in self.service.jobs(job_tags=[self.tag], limit=None)}


def test_a_submission_that_a_proxy_timed_out_is_one_job_and_those_after_it_are_others():
    with TimingOutProxy(BASE) as proxy:
        client = Behind(proxy)
        proxy.plan(Cut("request", 1.0, SUBMISSION))
        job = client.run()  # the client repeats it after the proxy's 504
        assert proxy.has_cut.is_set()
        assert job.result()[0].data.c.num_shots == 10
        assert client.ids() == {job.job_id()}
        others = {client.run().job_id(), client.run().job_id()}
        assert client.ids() == {job.job_id(), *others}
        assert len(client.ids()) == 3


def test_a_submission_whose_connection_broke_is_the_same_job_when_it_is_sent_again():
    with CuttingProxy(BASE) as proxy:
        client = Behind(proxy)
        proxy.plan(Cut("request", 1.0, SUBMISSION))
        with pytest.raises(IBMRuntimeError):
            client.run()
        until(client.ids, 20)
        job = client.run()
        assert client.ids() == {job.job_id()}


def test_equal_jobs_that_are_sent_on_purpose_stay_as_many():
    with CuttingProxy(BASE) as proxy:
        client = Behind(proxy)
        with ThreadPoolExecutor(4) as threads, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jobs = [threads.submit(client.run) for _ in range(8)]
        ids = {job.result().job_id() for job in jobs}
        assert len(ids) == 8
        assert client.ids() == ids
