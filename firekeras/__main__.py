"""`python -m firekeras`: the command line."""

from firekeras.cli import app

if __name__ == "__main__":
    app(prog_name="firekeras")
