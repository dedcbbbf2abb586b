"""Client of qBraid's API before v1, with additional methods that run jobs on a Qwicket server.

Its code is in `qwicket.vendors.qbraid.client`.
"""

from qwicket.vendors.qbraid.client import *
from qwicket.vendors.qbraid.client import __all__ as __all__
