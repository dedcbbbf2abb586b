"""One client per cloud. Clients import neither the server nor each other; they share `http`."""
