"""Client of IonQ's REST API, v0.3 and v0.4, for IonQ's own service and for Qwicket.

Its code is in `qwicket.vendors.ionq.client`.
"""

from qwicket.vendors.ionq.client import *
from qwicket.vendors.ionq.client import __all__ as __all__
