"""Kubernetes' API, where it answers without bounds."""

from __future__ import annotations

import pytest

from qwicket.clients.http import bounds
from qwicket.scaling.kubernetes import KubernetesSite
from qwicket.scaling.site import SiteError
from support import hostile_cloud
from support.hostile_cloud import IN_FLIGHT, HostileCloud

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "qwicket"}]}}},
}


def test_an_answer_without_end_is_not_read_beyond_the_bound() -> None:
    for attack, reason in (
        (hostile_cloud.endless_chunks, "4,194,304 are read"),
        (hostile_cloud.compressed, "'gzip'"),
        (hostile_cloud.deep(), "deeper than 64 levels"),
    ):
        with HostileCloud(attack) as cluster:
            site = KubernetesSite(JOB, "group", slots=1, idle_s=60.0, url=cluster.url)
            with pytest.raises(SiteError, match=reason):
                site.workers()
            assert cluster.sent_bytes <= bounds.SMALL.wire_bytes + IN_FLIGHT
