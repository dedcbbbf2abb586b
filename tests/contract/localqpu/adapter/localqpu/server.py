"""The test bed, where localqpu's tests look for their server."""

from localqpu.control_client import RunningServer

__all__ = ["RunningServer"]
