"""`python -m ecglfm STAGE …`: the same as the console script `ecglfm`."""

from ecglfm.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
