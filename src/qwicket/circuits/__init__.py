"""Circuits in flat form: what they cost, how noisy they are, what they give. No I/O.

Formats end in them and engines start from them.
"""
