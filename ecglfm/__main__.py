"""`python -m ecglfm STAGE …`: the same as the console script `ecglfm`."""

from ecglfm.cli import run

if __name__ == "__main__":
    run()
