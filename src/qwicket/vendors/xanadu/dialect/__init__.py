"""The Xanadu Cloud dialect, at the root of the host because its client has no base path."""
