"""Cassettes: record a vendor's answers without secrets, replay them, find where ours differ."""
