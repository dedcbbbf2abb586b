"""Pages under `/ui` for people, rendered on the server: sign-in, own tokens, jobs, devices."""
