"""`python -m producers.dispatcher`: one dispatcher. Any number of copies may run."""

from producers.dispatcher.loop import main

if __name__ == "__main__":
    main()
