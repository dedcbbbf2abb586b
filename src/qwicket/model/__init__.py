"""Immutable values: accounts, devices, jobs and their states, groups, limits, errors. No I/O."""
