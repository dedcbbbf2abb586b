"""The qlued dialect, below `/qlued/api/v2` and, with tokens in a header, `/qlued/api/v3`."""
