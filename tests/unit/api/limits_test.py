"""Bodies: how large, how deep and how odd they may be."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from api.limits import Disconnected, check_tree, read_body
from api.problems import BodyTooLarge, Refusal

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner))


def _depth(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return 0 if inner is None else 1 + max((_depth(one) for one in inner), default=0)


def _keepable(tree: Any) -> bool:
    match tree:
        case dict():
            return all("\x00" not in name and _keepable(one) for name, one in tree.items())
        case list():
            return all(_keepable(one) for one in tree)
        case str():
            return "\x00" not in tree
        case float():
            return abs(tree) != float("inf") and tree == tree
        case int():
            return abs(tree) < 2**63
        case _:
            return True


@given(TREES)
def test_a_tree_is_taken_exactly_when_it_can_be_kept(tree: Any) -> None:
    expected = _keepable(tree) and _depth(tree) <= 3
    try:
        check_tree(tree, 3)
        taken = True
    except Refusal:
        taken = False

    assert taken == expected


def test_depth_costs_no_stack() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]

    check_tree(deep, 200_000)
    with pytest.raises(Refusal, match="nested too deep"):
        check_tree(deep, 64)


def test_a_fault_is_pointed_at() -> None:
    with pytest.raises(Refusal) as caught:
        check_tree({"a/b": [0, {"c~": "x\x00"}]}, 10)

    assert [error.pointer for error in caught.value.problem.errors] == ["/a~1b/1/c~0"]


def _receive(parts: Iterable[bytes]) -> Any:
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    unread = iter(messages)

    async def receive() -> Message:
        return next(unread)

    return receive, unread


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=6))
def test_a_body_in_parts_is_whole_or_refused(parts: list[bytes]) -> None:
    receive, _ = _receive(parts)
    whole = b"".join(parts)
    if len(whole) > 10:
        with pytest.raises(BodyTooLarge):
            asyncio.run(read_body(receive, None, 10))
    else:
        assert asyncio.run(read_body(receive, None, 10)) == whole


def test_a_too_large_body_isnt_read_to_its_end() -> None:
    receive, unread = _receive([b"x" * 8] * 100)
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(receive, None, 10))

    assert len(list(unread)) == 98


def test_a_body_that_says_it_is_too_large_isnt_read_at_all() -> None:
    receive, unread = _receive([b"x"])
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(receive, "11", 10))

    assert len(list(unread)) == 1


def test_a_sender_who_leaves_is_noticed() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Disconnected):
        asyncio.run(read_body(receive, None, 10))
