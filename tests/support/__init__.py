"""What tests share: a live server in a process of its own, and ways to wait for a condition."""
