"""The Amazon Braket dialect: Braket itself, and what its clients need of S3 and STS."""
