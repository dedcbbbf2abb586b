"""Pages under `/ui` for people, rendered on the server: sign-in, and an account's own tokens."""
