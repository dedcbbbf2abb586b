"""Client of IQM Server's API, for devices at other clouds."""
