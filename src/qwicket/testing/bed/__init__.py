"""The server of the test bed: one seam before all dialects, one behind the queue.

Nothing outside of `qwicket.testing` imports it, so that a production server cannot load it.
"""
