"""Scheduling: claims, leases, heartbeats, forecasts, and recovery from dead runners."""

from qwicket.scheduling.agents import AgentScheduler
from qwicket.scheduling.dispatcher import Dispatcher, Express
from qwicket.scheduling.forecast import Forecast, Forecaster, QueuePosition
from qwicket.scheduling.heartbeat import Heartbeat
from qwicket.scheduling.liveness import LivenessMonitor
from qwicket.scheduling.maintenance import MaintenanceLoop
from qwicket.scheduling.pilots import Offer, PilotScheduler, Pulled
from qwicket.scheduling.webhook_requests import WebhookClient, WebhookResponse
from qwicket.scheduling.webhooks import WebhookSender

__all__ = [
    "AgentScheduler",
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
    "WebhookClient",
    "WebhookResponse",
    "WebhookSender",
]
