"""How children end that are modules of their own: with an exit status, and errors in words."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run(main: Callable[..., object]):
    """Calls a function with the arguments of the command line; an error that a user can mend is one line.

    Args:
        main: The function.
    """
    try:
        main(*sys.argv[1:])
    except (ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        raise SystemExit(1) from None
