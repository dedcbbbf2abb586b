"""Pages under `/ui` for people, rendered on the server; they call the gateway as dialects do."""
