"""Client of qlued's API, version 2, for qlued's own servers and for Qwicket.

Its code is in `qwicket.vendors.qlued.client`.
"""

from qwicket.vendors.qlued.client import *
from qwicket.vendors.qlued.client import __all__ as __all__
