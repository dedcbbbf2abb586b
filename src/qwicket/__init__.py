"""Qwicket: one small gate to every quantum cloud."""

__version__ = "0.1.0"
