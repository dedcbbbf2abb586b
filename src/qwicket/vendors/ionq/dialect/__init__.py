"""The IonQ dialect, below `/ionq` and, for clients that drop the path of a URL, at the root."""
