"""How much of the inputs a call has room for."""

import asyncio
from uuid import uuid4

import pytest

from infrastructure.model_registry.registry import load
from infrastructure.ports import Refused
from infrastructure.ports.ai.sizes import MAX_INPUT_TOKENS
from schemas.ai.prompts import RenderedPrompt, RenderedSection
from schemas.documents import DocumentRef
from tests.simulated_providers import REGISTRY
from workers.ai.generation.inputs import documents_read, room_for_documents


def prompt(**fields: object) -> RenderedPrompt:
    section = RenderedSection(heading="Rent", instruction="Say what it is.")
    usual = {"name": "notice", "version": 1, "industry": None, "system": "Be brief.", "outline": None}
    more = {"sections": (section,), "models": None, "max_output_tokens": 1_000, "temperature": None}
    return RenderedPrompt.model_validate({**usual, **more, **fields})


def test_the_smallest_model_decides_and_large_ones_are_bounded(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("registry") / "models.toml"
    file.write_text(REGISTRY)
    registry = load(file)

    assert room_for_documents(["gpt-6-luna"], registry, prompt()) == MAX_INPUT_TOKENS
    assert 3_000 < room_for_documents(["gpt-6-luna", "house-model"], registry, prompt()) < 8_000
    assert room_for_documents(["house-model"], registry, prompt(system="x" * 20_000)) == 0


def test_inputs_that_have_no_room_are_refused_and_not_left_out() -> None:
    class Unread:
        """No document is read for that."""

    with pytest.raises(Refused) as refused:
        asyncio.run(documents_read([DocumentRef(id="a", version=1)], prompt(), 10, uuid4(), Unread()))  # type: ignore[arg-type]  # never asked

    assert refused.value.problem.errors[0].pointer == "/inputs"
