"""Asks a question until the answer meets its schema: mended here first, then asked for again at most twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from infrastructure.json_schema.validation import SchemaError
from infrastructure.ports import Processors, Refused
from infrastructure.ports.ai.response import FinishReason
from infrastructure.ports.ai.sizes import MAX_REPAIRS
from kinds.run import Run
from schemas.ai import ModelCommand
from schemas.problems import MAX_ERRORS, FieldProblem, Problem
from workers.ai.pipeline.call import ModelReply, Next
from workers.ai.questions.question import Question, call_of
from workers.ai.questions.repairing import corrected, pointer_of, read_answer, repair_of


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and for which job."""

    ask: Next
    processors: Processors
    command: ModelCommand
    run: Run


@dataclass(frozen=True, slots=True)
class Answered:
    value: Any = field(repr=False)
    """Meets the question's schema, unless there are errors."""
    replies: tuple[ModelReply, ...]
    cut: bool = False
    """The model had more to say than it may write at once: there may be errors."""
    errors: tuple[SchemaError, ...] = ()


async def answered(question: Question, asking: Asking) -> Answered:
    """An answer in the question's form. Raises Refused `schema-unmet` when two repairs don't make it one, and what the
    pipeline raises."""
    reply = await asking.ask(call_of(question, asking.command, asking.run))
    replies = [reply]
    cut = reply.finish_reason is FinishReason.MAX_TOKENS
    read = await asking.processors.run(read_answer, reply.text, question.schema)
    while read.errors and len(replies) <= MAX_REPAIRS and not cut:
        repair = repair_of(question, read)
        if repair is None:
            break
        reply = await asking.ask(call_of(repair.question, asking.command, asking.run, repairs=len(replies)))
        replies.append(reply)
        read = await asking.processors.run(corrected, read, repair.path, reply.text, question.schema)
    if read.errors and not cut:
        raise Refused(schema_unmet(read.errors))
    return Answered(read.value, tuple(replies), cut, read.errors)


def schema_unmet(errors: Sequence[SchemaError], below: str = "") -> Problem:
    """Names what is unmet. Pointers lead into the answer."""
    # What the caller's own schema says comes before what we ask for around it.
    errors = sorted(errors, key=lambda error: error.path[:1] != ("data",))
    first = errors[0]
    return Problem.of(
        "schema-unmet",
        "The schema can't be met",
        422,
        f"no answer meets the schema: at {pointer_of(first.path) or '/'}: {first.message}. Let what the text may not say be "
        "null or not required, or name a model that follows schemas",
        errors=tuple(
            FieldProblem(pointer=f"{below}{pointer_of(error.path)}", detail=error.message)
            for error in errors[:MAX_ERRORS]
        ),
    )
