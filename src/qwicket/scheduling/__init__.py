"""Who runs what, and when: claims, leases, and what happens when a runner dies."""

from qwicket.scheduling.agents import AgentDesk
from qwicket.scheduling.chores import Chores
from qwicket.scheduling.dispatcher import Dispatcher, Express
from qwicket.scheduling.forecast import Forecast, Outlook, Place
from qwicket.scheduling.heartbeat import Heartbeat
from qwicket.scheduling.lookout import Lookout

__all__ = [
    "AgentDesk",
    "Chores",
    "Dispatcher",
    "Express",
    "Forecast",
    "Heartbeat",
    "Lookout",
    "Outlook",
    "Place",
]
