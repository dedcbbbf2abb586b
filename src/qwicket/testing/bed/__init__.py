"""Server of the test bed: a production server with faults for requests and scenarios for jobs.

Only `qwicket.testing` imports it, and a test checks that a production server does not.
"""
