"""The program, as the installed command and as ``python -m freezelint``."""

from __future__ import annotations

import os
import sys


def run() -> None:
    """Run the command and leave at once.

    Python takes down every object one by one before it ends, the syntax trees too;
    there is nothing in them that needs it.
    """
    from freezelint.cli import ProgramEnded, main

    code: int | str | None = 0
    try:
        main(prog_name="freezelint")
    except ProgramEnded:
        # Something of its own may be left to do at exit.
        raise
    except SystemExit as ended:
        code = ended.code
    if isinstance(code, str):
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # Whoever read the output has gone; Python knows how to say so.
        sys.exit(code)
    os._exit(code or 0)


if __name__ == "__main__":
    run()
