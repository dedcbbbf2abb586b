"""One client per cloud, standing alone: none imports a server room or another client.

What they share of HTTP is in `http`.
"""
