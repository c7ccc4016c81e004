"""Asks about a whole text, part by part where it is long. What was paid for is kept, so that a retry doesn't pay again."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from infrastructure.ports import Refused
from infrastructure.ports.ai.checkpoints import Checkpoint, Checkpoints
from workers.ai.pipeline.call import ModelReply
from workers.ai.questions.asking import Answered, Asking, answered, schema_unmet
from workers.ai.questions.parts import MIN_PART_CHARACTERS, Size, TextPart, parts_of
from workers.ai.questions.question import Question
from workers.ai.questions.side_by_side import side_by_side

PARTS_AT_A_TIME: Final = 4
MADE_BY: Final = "made_by"

Ask = Callable[[TextPart], Question]
"""The question about a part."""


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What was answered about the text from `offset` on."""

    offset: int
    text: str = field(repr=False)
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """By whom an answer is: a provider, and the model as it names it."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The answers about all parts, in order."""

    answers: tuple[PartAnswer, ...]
    made_by: tuple[Made, ...]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks about one text."""

    asking: Asking
    checkpoints: Checkpoints
    size: Size

    async def read(self, text: str, question: Ask) -> Reading:
        """Raises what `answered` raises. Safe to repeat: parts that were paid for are answered from their checkpoints."""
        parts = parts_of(text, self.size.part_characters)
        kept = {} if self.size.is_free else await self._kept(parts, question)
        done = 0

        def asked(part: TextPart) -> Question:
            return replace(question(part), to_come=len(parts) - part.index - 1)

        async def one(part: TextPart) -> Reading:
            nonlocal done
            read = await self._part(part, asked, kept.get(part.index))
            done += 1
            self.asking.run.progress(0.1 + 0.8 * done / len(parts), f"{done} of {len(parts)} parts are read")
            return read

        read = await side_by_side(one, parts, at_a_time=PARTS_AT_A_TIME)
        return Reading(
            tuple(answer for one in read for answer in one.answers),
            tuple(dict.fromkeys(made for one in read for made in one.made_by)),
        )

    async def _kept(self, parts: Sequence[TextPart], question: Ask) -> Mapping[int, Checkpoint]:
        """Those of an earlier run that asked the same. A replayed job's command, or the models' sizes, may have changed."""
        run = self.asking.run
        kept = await self.checkpoints.of_job(run.tenant_id, run.job_id)
        digests = {part.index: _digest(part, question(part)) for part in parts} if kept else {}
        if any(one.content.get("digest") != digests.get(section) for section, one in kept.items()):
            await self.checkpoints.delete(run.tenant_id, run.job_id)
            return {}
        return kept

    async def _part(self, part: TextPart, question: Ask, kept: Checkpoint | None) -> Reading:
        if kept is not None:
            return _read_from(kept, part)
        answers, replies = await self._divided(part, question)
        read = Reading(answers, tuple(Made(one.provider, one.served_model) for one in replies))
        if not self.size.is_free:
            await self._keep(part, _digest(part, question(part)), read)
        return read

    async def _divided(self, part: TextPart, question: Ask) -> tuple[tuple[PartAnswer, ...], tuple[ModelReply, ...]]:
        """Of a part with more in it than the model may write at once, both halves are asked about."""
        asked = replace(question(part), max_output_tokens=self.size.output_tokens)
        whole: Answered = await answered(asked, self.asking)
        halves = parts_of(part.text, len(part.text) // 2 + 1) if whole.cut else ()
        if len(halves) < 2 or len(part.text) < 2 * MIN_PART_CHARACTERS:
            if whole.errors:
                raise Refused(schema_unmet(whole.errors))
            return (PartAnswer(part.offset, part.text, whole.value),), whole.replies
        answers: list[PartAnswer] = []
        replies = [*whole.replies]
        for half in halves:
            inner = TextPart(part.index, part.offset + half.offset, half.text)
            further, made = await self._divided(inner, question)
            answers += further
            replies += made
        return tuple(answers), tuple(replies)

    async def _keep(self, part: TextPart, digest: str, read: Reading) -> None:
        run = self.asking.run
        content = {
            "digest": digest,
            "answers": [[one.offset, len(one.text), one.value] for one in read.answers],
            MADE_BY: [[one.provider, one.model] for one in read.made_by],
        }
        await self.checkpoints.keep(run.tenant_id, run.job_id, Checkpoint(part.index, content))


def _read_from(kept: Checkpoint, part: TextPart) -> Reading:
    return Reading(
        tuple(
            PartAnswer(offset, part.text[offset - part.offset :][:length], value)
            for offset, length, value in kept.content["answers"]
        ),
        tuple(Made(provider, model) for provider, model in kept.content[MADE_BY]),
    )


def _digest(part: TextPart, question: Question) -> str:
    """Of what is asked about which part of what."""
    documents = [[one.id, one.text] for one in question.documents]
    asked = json.dumps([part.offset, question.instruction, question.schema, documents])
    return sha256(asked.encode()).hexdigest()
