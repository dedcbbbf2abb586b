"""The vendors' suites run in environments of their own, never in ours."""

collect_ignore_glob = ["*/suites/*"]
