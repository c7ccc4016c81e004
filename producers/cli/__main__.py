"""`python -m producers.cli`: the same as `bucatini`."""

from producers.cli.app import main

if __name__ == "__main__":
    main()
