"""One question about documents, whose answer has to meet a schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Message, ModelRequest, Passage, Role
from kinds.run import Run
from schemas.ai import ModelCommand
from workers.ai.documents_in_prompt import DATA_NOT_INSTRUCTIONS, PromptDocument, documents_in_prompt
from workers.ai.pipeline.call import ModelCall

ALL_OF_IT: Final = 1 << 40
"""Tokens: what is asked about was cut to the models' size before."""
SYSTEM: Final = (
    "You read documents and answer with JSON that meets the given schema, and with nothing else. "
    "Every passage that you quote stands in the document word for word: don't correct, shorten, translate or join it. "
    "What the document doesn't say is null or left out: never guess, and never use what you know from elsewhere."
)


@dataclass(frozen=True, slots=True)
class Question:
    purpose: Purpose
    instruction: str
    documents: tuple[PromptDocument, ...] = field(repr=False)
    schema: Mapping[str, Any] = field(repr=False)
    max_output_tokens: int
    section: int | None = None
    to_come: int = 0
    """How many more parts are asked about after this one."""


def call_of(question: Question, command: ModelCommand, run: Run, *, repairs: int = 0) -> ModelCall:
    """The call that asks it for this run. `repairs` counts those of the same answer, with this one."""
    given = documents_in_prompt(question.documents, max_tokens=ALL_OF_IT)
    passages = (Passage(f"{question.instruction}\n\n"), Passage(given.text))
    return ModelCall(
        tenant_id=run.tenant_id,
        purpose=question.purpose,
        request=ModelRequest(
            model="",
            messages=(Message(Role.USER, passages),),
            max_output_tokens=question.max_output_tokens,
            system=(Passage(SYSTEM), Passage(DATA_NOT_INSTRUCTIONS)),
            schema=question.schema,
        ),
        models=command.models or (),
        job_id=run.job_id,
        job_attempt=run.attempt,
        kind=command.kind,
        section=question.section,
        deadline=run.deadline,
        to_come=question.to_come,
        max_cost_usd=command.max_cost_usd,
        input_digests=given.digests,
        tried=repairs,
        record=run.record,
    )


def asked_for_repair(
    question: Question, instruction: str, schema: Mapping[str, Any], shown: Sequence[PromptDocument]
) -> Question:
    return replace(question, purpose=Purpose.REPAIR, instruction=instruction, schema=schema, documents=tuple(shown))
