"""Cassettes: record a vendor's responses without secrets, replay and compare them to Qwicket's."""
