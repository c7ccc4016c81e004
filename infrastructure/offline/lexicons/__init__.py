"""The word lists that the rules look things up in: text files, so that any speaker of the language can correct them."""

from importlib.resources import files


def words(name: str) -> frozenset[str]:
    """Every word of one list. Words are separated by blanks, and a line that begins with # is a comment."""
    return frozenset(word for line in lines(name) for word in line.split())


def lines(name: str) -> tuple[str, ...]:
    """Every entry of a list that has one to a line."""
    text = (files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
