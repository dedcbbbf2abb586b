"""Scheduling: claims, leases, heartbeats, forecasts, and recovery from dead runners."""

from qwicket.scheduling.dispatcher import Dispatcher, Express
from qwicket.scheduling.forecast import Crowd, Forecast, Forecaster, QueuePosition
from qwicket.scheduling.heartbeat import Heartbeat
from qwicket.scheduling.liveness import LivenessMonitor
from qwicket.scheduling.maintenance import MaintenanceLoop
from qwicket.scheduling.pilots import Offer, PilotScheduler, Pulled

__all__ = [
    "Crowd",
    "Dispatcher",
    "Express",
    "Forecast",
    "Forecaster",
    "Heartbeat",
    "LivenessMonitor",
    "MaintenanceLoop",
    "Offer",
    "PilotScheduler",
    "Pulled",
    "QueuePosition",
]
