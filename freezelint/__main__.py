"""Let ``python -m freezelint`` behave like the installed command."""

from freezelint.cli import main

if __name__ == "__main__":
    main(prog_name="freezelint")
