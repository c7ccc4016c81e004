"""How much may be given to fill templates with."""

from collections.abc import Iterator

from schemas.model import FreeJson

MAX_FACT_CHARACTERS = 200_000
MAX_FACT_VALUES = 5_000
MAX_FACT_INTEGER = 10**15


def _values(facts: FreeJson) -> Iterator[str | int | float | None]:
    unread: list[FreeJson] = [facts]
    while unread:
        value = unread.pop()
        if isinstance(value, dict):
            yield from value
            unread.extend(value.values())
        elif isinstance(value, list):
            yield None
            unread.extend(value)
        else:
            yield value


def bounded(facts: dict[str, FreeJson]) -> dict[str, FreeJson]:
    characters = 0
    for count, value in enumerate(_values(facts), start=1):
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, int) and abs(value) > MAX_FACT_INTEGER:
            raise ValueError("a whole number beyond 10^15 must be sent as a string")
        if count > MAX_FACT_VALUES:
            raise ValueError(f"more than {MAX_FACT_VALUES:,} names and values; send fewer facts")
        if characters > MAX_FACT_CHARACTERS:
            raise ValueError(f"more than {MAX_FACT_CHARACTERS:,} characters in all; send fewer facts")
    return facts
