"""The client of Xanadu Cloud's API: of the cloud that it was, and of Qwicket's door.

Its surface is that of `requests`: what it returns are `requests.Response`s, and what it raises are
`requests.exceptions`. Only this client and that of qBraid import the package.
"""

from qwicket.clients.xanadu.connection import Connection
from qwicket.clients.xanadu.device import Device
from qwicket.clients.xanadu.job import Job
from qwicket.clients.xanadu.settings import Settings, load_config

__all__ = ["Connection", "Device", "Job", "Settings", "load_config"]
