"""The API before v1: the registry of jobs, and v0, the first API that runs jobs."""
