"""One client per cloud, standing alone: none imports a server room or another client."""
