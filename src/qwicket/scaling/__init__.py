"""Scalers: start workers as jobs of Slurm or Kubernetes when work waits.

A worker that they start ends by itself when it has no job, so nothing has to be stopped, and no
machine is kept busy if the scaler dies.
"""

from qwicket.scaling.scaler import Scaler, ScalerAPI, serve_all, step_s
from qwicket.scaling.site import Site, SiteError, Workers

__all__ = ["Scaler", "ScalerAPI", "Site", "SiteError", "Workers", "serve_all", "step_s"]
