"""Client of Xanadu Cloud's API, as Qwicket's dialect serves it.

Its code is in `qwicket.vendors.xanadu.client`.
"""

from qwicket.vendors.xanadu.client import *
from qwicket.vendors.xanadu.client import __all__ as __all__
