"""Pages under `/ui` for people, rendered on the server, which call the services of all dialects."""
