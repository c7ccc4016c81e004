"""In a cluster every key of a command gets the prefix of our slot, and nothing else of it."""

from collections.abc import Sequence

import pytest

from infrastructure.redis.client import in_one_slot


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        (("EVAL", "return 1", 2, "a", "b", "c"), ("EVAL", "return 1", 2, "{bucatini}:a", "{bucatini}:b", "c")),
        (("EVALSHA", "0f", 1, "a", "a"), ("EVALSHA", "0f", 1, "{bucatini}:a", "a")),
        (("EVALSHA", "0f", 0, "a"), ("EVALSHA", "0f", 0, "a")),
        (("HMGET", "a", "b", "c"), ("HMGET", "{bucatini}:a", "b", "c")),
        (("HGETALL", "a"), ("HGETALL", "{bucatini}:a")),
        (("SET", "a", "b", "NX", "PX", 5), ("SET", "{bucatini}:a", "b", "NX", "PX", 5)),
        (("TIME",), ("TIME",)),
    ],
    ids=lambda value: str(value[0]),
)
def test_keys_are_put_into_our_slot(command: Sequence[object], sent: Sequence[object]) -> None:
    assert tuple(in_one_slot(command)) == sent
