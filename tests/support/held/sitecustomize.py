"""Lets fork servers of engines hold marked circuits; changes nothing in other processes.

Python imports it at its start when this folder is on PYTHONPATH, which fork servers inherit.
"""

import sys

if sys.orig_argv[-1].startswith("qwicket.engines:"):  # what a fork server of engines calls first
    from importlib import import_module

    import_module("held_circuits").install()
