"""`firekeras`, and `python -m firekeras`: the command line."""

import signal
import sys

from firekeras.cli import app


def main():
    """Runs the command line; asked to end, it removes its temporary files first."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app(prog_name="firekeras")


if __name__ == "__main__":
    main()
