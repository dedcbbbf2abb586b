"""Client of the IBM Quantum Experience API of 2020, as Qwicket's dialect serves it.

Its code is in `qwicket.vendors.ibm.client`.
"""

from qwicket.vendors.ibm.client import *
from qwicket.vendors.ibm.client import __all__ as __all__
