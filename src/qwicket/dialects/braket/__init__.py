"""The Amazon Braket dialect: Braket itself, and what its clients need of S3 and STS."""

from qwicket.dialects.braket.registration import REGISTRATION

__all__ = ["REGISTRATION"]
