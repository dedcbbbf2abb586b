"""Measurements, each beside its floor or its peers in the same run. `make bench` prints them."""
