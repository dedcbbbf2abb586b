"""Client of Xanadu Cloud's API, as Qwicket's dialect serves it.

Like the original, it returns `requests.Response` and raises `requests.exceptions`. Few clients
import `requests`.
"""

from qwicket.vendors.xanadu.client.connection import Connection
from qwicket.vendors.xanadu.client.device import Device
from qwicket.vendors.xanadu.client.job import Job
from qwicket.vendors.xanadu.client.settings import Settings, load_config

__all__ = ["Connection", "Device", "Job", "Settings", "load_config"]
