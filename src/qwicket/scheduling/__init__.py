"""Who runs what, and when: claims, leases, and what happens when a runner dies."""

from qwicket.scheduling.dispatcher import Dispatcher
from qwicket.scheduling.heartbeat import Heartbeat

__all__ = ["Dispatcher", "Heartbeat"]
