"""The IQM Server dialect, below `/iqm/api` and, because its clients know only hosts, `/api`."""
