"""Start the command line: ``python -m zero``."""

from zero.cli import main

if __name__ == "__main__":
    main()
