"""Request bodies: limits on size and depth, and values that can't be stored."""

import asyncio
import json
import sys
import tracemalloc
from collections.abc import Iterable
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from api.http.problems import BodyTooLarge, Refusal
from api.http.request_body import Disconnected, check_tree, read_body
from api.http.validation import model_of, parse_json
from schemas.ai import GenerateDocument
from schemas.commands import Command
from schemas.search import IndexDocument
from schemas.workflow import RunWorkflowStep

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
def test_a_tree_is_accepted_exactly_when_it_can_be_stored(tree: Any) -> None:
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


def test_an_invalid_value_is_named_by_its_pointer() -> None:
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
def test_a_body_in_parts_is_read_whole_or_refused(parts: list[bytes]) -> None:
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


def test_a_client_that_disconnects_ends_the_read() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Disconnected):
        asyncio.run(read_body(receive, None, 10))


class Calls:
    """Counts Python calls within the block: a measure of cost that doesn't depend on the machine's load."""

    def __enter__(self) -> Self:
        self.count = 0
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: object, event: str, argument: object) -> None:
        self.count += event == "call"


def _start(given: Any) -> bytes:
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    return json.dumps({"definition": definition, "input": given}).encode()


@pytest.mark.parametrize("given", [[1] * 49_000, [{"a": "b"}] * 24_000, ["word, word [" * 10] * 10_000])
def test_the_largest_body_is_read_and_checked_without_a_walk_through_its_values(given: Any) -> None:
    body = _start(given)
    model_of(RunWorkflowStep, parse_json(_start({})))

    with Calls() as calls:
        taken = model_of(RunWorkflowStep, parse_json(body))

    assert taken.input == given
    assert calls.count < 500


@pytest.mark.parametrize("given", [[1] * 900_000, [[]] * 500_000, {str(number): 0 for number in range(200_000)}])
def test_too_many_values_are_refused_before_anything_is_made_of_them(given: Any) -> None:
    body = _start(given)
    tracemalloc.start()
    with pytest.raises(Refusal, match="too many values"):
        parse_json(body)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 1_000_000


@pytest.mark.parametrize("pad", ["", "x" * 70_000])
@pytest.mark.parametrize(
    "odd", ["a\x00b", {"\x00": 1}, 2**63, -(2**64), float("1e308") * 10, 10**400], ids=["text", "name", "big", "low", "inf", "huge"]
)  # fmt: skip
def test_values_that_cant_be_stored_are_refused_in_small_and_large_bodies(pad: str, odd: Any) -> None:
    body = _start({"pad": pad, "odd": odd}).replace(b"Infinity", b"1e999")

    with pytest.raises(Refusal) as refused:
        parse_json(body)

    (flaw,) = refused.value.problem.errors
    assert flaw.pointer == "/input/odd"


def test_a_large_text_that_only_looks_unstorable_is_accepted() -> None:
    given = {"text": "\\u0000 e1000 " + "9" * 40 + "x" * 70_000, "number": 1e-300}

    assert parse_json(_start(given))["input"] == given


FIELDS = {"title": "x", "sections": [{"heading": "h", "body": "b"}]}


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (GenerateDocument, {**FIELDS, "facts": {f"BAD {number}": number for number in range(49_000)}}),
        (GenerateDocument, {**FIELDS, "sections": [{"heading": 1}] * 24_000}),
        (GenerateDocument, {**FIELDS, **{f"unknown{number}": 1 for number in range(49_000)}}),
        (IndexDocument, {"document_id": "a", "title": "a", "body": "b", "document_type": "c", "tags": [1] * 49_000}),
    ],
    ids=["facts", "sections", "unknown", "tags"],
)
def test_fifty_thousand_errors_are_reported_as_one(command: type[Command], fields: dict[str, Any]) -> None:
    with Calls() as calls, pytest.raises(Refusal) as refused:
        model_of(command, fields)

    assert len(refused.value.problem.errors) == 1
    assert calls.count < 500
