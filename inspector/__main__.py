"""`python -m inspector`."""

from inspector.app import main

if __name__ == "__main__":
    raise SystemExit(main())
