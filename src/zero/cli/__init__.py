"""The command line: one file for each command."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("zero: the command line is not built yet")
