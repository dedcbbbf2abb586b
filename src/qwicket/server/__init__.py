"""The server: settings, start-up, one application out of all doors, shutdown."""

from qwicket.server.run import run
from qwicket.server.settings import Settings, default_data_dir

__all__ = ["Settings", "default_data_dir", "run"]
