"""Versions before v1: the registry of jobs, and the first API that runs jobs."""
