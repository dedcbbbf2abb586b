"""Circuits in flat form, with their costs, noise and results. No I/O.

Parsers of all formats produce them, and all engines run them.
"""
