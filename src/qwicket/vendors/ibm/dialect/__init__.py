"""The IBM Quantum Experience API of 2020, below `/ibm/api`, and the two channels of Runtime."""
