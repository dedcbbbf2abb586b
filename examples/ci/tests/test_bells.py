"""Tests of the code under test, without a vendor, a network or a key."""

import bells
import pytest
import requests


@pytest.fixture
def cloud(qwicket_cloud, monkeypatch):
    """Return the test bed, to which the code under test is pointed."""
    qwicket_cloud.env("qiskit-ionq", monkeypatch=monkeypatch)
    return qwicket_cloud


def test_a_bell_pair_has_two_outcomes(cloud):
    assert bells.bell_probabilities() == {"0": 0.5, "3": 0.5}
    cloud.assert_one(method="POST")


def test_a_busy_cloud_is_asked_again(cloud):
    cloud.fault("status", status=429, retry_after=1, times=2)
    assert bells.bell_probabilities()
    cloud.assert_one_job_each()


def test_a_cloud_that_is_down_is_reported(cloud):
    cloud.fault("status", status=503)
    with pytest.raises(requests.HTTPError, match="503"):
        bells.bell_probabilities(pause_s=0.01)
    cloud.assert_count(5, method="POST")


def test_the_vendors_message_reaches_the_user(cloud):
    cloud.scenario("fail", message="The trap is empty.")
    with pytest.raises(bells.JobFailed, match="The trap is empty"):
        bells.bell_probabilities()


def test_polls_keep_their_distance_in_a_queue(cloud):
    cloud.scenario("stay_queued", polls=3)
    assert bells.bell_probabilities(pause_s=0.1)
    cloud.assert_poll_interval(0.1)
    cloud.assert_quiet_after_end()
