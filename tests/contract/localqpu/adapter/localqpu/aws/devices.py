"""The device of Amazon Braket that localqpu has."""

SV1_ARN = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"
