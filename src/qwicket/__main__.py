"""`python -m qwicket`."""

from qwicket.cli import main

if __name__ == "__main__":
    main()
