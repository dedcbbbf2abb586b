"""Unmodified clients of all dialects against a world in which everything breaks: `make chaos`."""
