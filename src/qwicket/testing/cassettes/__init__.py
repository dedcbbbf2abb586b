"""Cassettes: record a vendor's answers without secrets, replay them, compare them to Qwicket's."""
