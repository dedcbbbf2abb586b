"""Client of Xanadu Cloud's API, as Qwicket's dialect serves it.

Like the original, it returns `requests.Response` and raises `requests.exceptions`. Only this
client and the qBraid client import `requests`.
"""

from qwicket.clients.xanadu.connection import Connection
from qwicket.clients.xanadu.device import Device
from qwicket.clients.xanadu.job import Job
from qwicket.clients.xanadu.settings import Settings, load_config

__all__ = ["Connection", "Device", "Job", "Settings", "load_config"]
