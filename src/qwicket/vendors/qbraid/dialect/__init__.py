"""The qBraid dialect: `/qbraid/api` for the registry and v0, `/qbraid/api/v1` for v1."""
