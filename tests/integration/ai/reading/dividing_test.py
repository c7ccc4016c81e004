"""A part whose answer is too long to be written at once, asked by a model that writes no more than so many characters."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from bucatini.testing import RecordedRun
from infrastructure.ports import Refused
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.response import FinishReason
from schemas.ai import ProcessDocument
from tests.integration.ai.recording import Recording
from tests.model_calls import OnTheLoop
from workers.ai.documents_in_prompt import PromptDocument
from workers.ai.pipeline.call import ModelCall, ModelReply
from workers.ai.questions.asking import Asking
from workers.ai.questions.in_parts import Asker, Reading
from workers.ai.questions.parts import Size, TextPart
from workers.ai.questions.question import Question

pytestmark = pytest.mark.anyio
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": {"type": "string"}}, "end": {"const": True}},
    "required": ["words", "end"],
}
TEXT = "".join(f"## {number}\n\nIt has the word w{number}. {'And more. ' * 30}\n\n" for number in range(12))


@dataclass
class Terse:
    """Finds the words that begin with a w, and stops after so many characters."""

    max_characters: int
    asked: list[ModelCall] = field(default_factory=list)

    async def __call__(self, call: ModelCall) -> ModelReply:
        self.asked.append(call)
        text = call.request.messages[-1].passages[-1].text
        found = [word.strip(".") for word in text.split() if word.startswith("w") and word[1:-1].isdigit()]
        answer = json.dumps({"words": found, "end": True})
        cut = len(answer) > self.max_characters
        reason = FinishReason.MAX_TOKENS if cut else FinishReason.STOP
        return ModelReply(answer[: self.max_characters], reason, "openai", "gpt-6-luna", "gpt-6-luna", attempts=())


def question(part: TextPart) -> Question:
    return Question(Purpose.EXTRACT, "Find the words.", (PromptDocument("text", None, part.text),), SCHEMA, 100)


async def read(model: Terse, recording: Recording, run: RecordedRun) -> Reading:
    asking = Asking(model, OnTheLoop(), ProcessDocument(title="Text", text=TEXT), run)
    size = Size(part_characters=100_000, output_tokens=100, is_free=False)
    return await Asker(asking, recording.checkpoints, size).read(TEXT, question)


async def test_its_halves_are_asked_about_until_each_answer_is_whole_and_a_retry_asks_for_none_of_it(
    recording: Recording,
) -> None:
    model, run = Terse(60), RecordedRun(tenant_id=recording.tenant_id)
    first = await read(model, recording, run)
    asked = len(model.asked)

    assert [word for one in first.answers for word in one.value["words"]] == [f"w{number}" for number in range(12)]
    assert all(TEXT[one.offset :].startswith(one.text) for one in first.answers)
    assert len(first.answers) > 1
    assert await read(model, recording, run) == first
    assert len(model.asked) == asked


async def test_what_can_t_be_divided_any_more_is_unmet(recording: Recording) -> None:
    with pytest.raises(Refused) as refused:
        await read(Terse(5), recording, RecordedRun(tenant_id=recording.tenant_id))

    assert refused.value.problem.name == "schema-unmet"
