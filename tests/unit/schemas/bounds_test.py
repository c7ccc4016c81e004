"""How deep and how large a JSON text is, counted without parsing it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import CloudEvent
from infrastructure.postgres.events.cloud_events import cloud_event_json
from schemas import bounds
from schemas.bounds import too_deep, too_many_values
from tests.unit.workers.runtime.runs import KeptOutputs, claimed
from workers.runtime.claiming.delivery import Delivery
from workers.runtime.claiming.slots import Slots
from workers.runtime.running.attempt import Attempt

# Strings full of what is structure outside of them, and of every kind of escape.
TEXT = st.text(alphabet='[]{},:"\\aé\u2028', max_size=8)
TREE = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=30,
)


def levels(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return 0 if inner is None else 1 + max(map(levels, inner), default=0)


def values(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(values, inner))


@given(TREE, st.booleans(), st.integers(1, 9))
def test_levels_are_those_of_the_tree(tree: Any, ascii_only: bool, piece_bytes: int) -> None:
    text = json.dumps(tree, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_SLICE", piece_bytes)
        assert not too_deep(text, levels(tree))
        assert not levels(tree) or too_deep(text, levels(tree) - 1)


@given(TREE, st.integers(1, 9))
def test_values_are_counted_to_within_the_containers_that_hold_them(tree: Any, piece_bytes: int) -> None:
    text = json.dumps(tree)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_SLICE", piece_bytes)
        assert not too_many_values(text, 2 * values(tree))
        assert too_many_values(text, values(tree) - 1)


def test_a_text_of_brackets_is_one_value() -> None:
    assert not too_deep(json.dumps(["[" * 1_000, '"' * 999 + "\\" * 999, "{" * 1_000]), 1)
    assert not too_many_values(json.dumps("," * 1_000), 1)


def test_an_event_that_no_reader_could_read_is_delivered_and_says_so() -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300

    event = CloudEvent.model_validate_json(
        cloud_event_json(uuid4(), 3, "ai.document_processed", datetime.now(UTC), deep)
    )

    assert event.type == "ai.document_processed"
    assert (event.data or {})["problem"]["type"].endswith("/unreadable")


def test_what_a_handler_says_of_its_progress_spoils_no_other_report() -> None:
    outputs = KeptOutputs()

    async def story() -> None:
        attempt = Attempt(claimed(), 1.0, Delivery(1), (), Slots(1, lambda _: 1), outputs)
        attempt.progress(0.5, "half\x00way \ud800" + "x" * 1_000)

    asyncio.run(story())

    assert outputs.reports[0].model_dump_json()
    assert "\x00" not in outputs.reports[0].message
    assert len(outputs.reports[0].message) <= 500
