"""Writes a document's sections, one after the other, and keeps each as soon as it is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from events.ai import GeneratedSection, SectionCompleted, SectionReset
from infrastructure.ports import Refused
from infrastructure.ports.ai.response import FinishReason
from infrastructure.ports.ai.sizes import MAX_CALLS_OF_A_SECTION, MAX_TRIES_WHEN_EMPTY
from schemas.ai.prompts import RenderedSection
from workers.ai.generation import problems
from workers.ai.generation.brief import Place, section_request
from workers.ai.generation.calls import Calls
from workers.ai.generation.finished import Finished
from workers.ai.generation.live_section import LiveSection
from workers.ai.generation.markdown import below, section_text
from workers.ai.pipeline.call import ModelReply

MAX_SECTION_CHARACTERS = 50_000
MAX_DOCUMENT_CHARACTERS = 200_000
INTERRUPTED = "interrupted"
_EVENTS_BEFORE = "events_before"
"""In a checkpoint: how many sections' events the timeline had. It tells whether this section's is missing."""


@dataclass(frozen=True, slots=True)
class Section:
    """A finished one."""

    heading: str = field(repr=False)
    text: str = field(repr=False)
    provider: str
    model: str
    """As its provider names it."""

    def kept_as(self, events_before: int) -> dict[str, Any]:
        content = {"heading": self.heading, "text": self.text, "provider": self.provider, "model": self.model}
        return {**content, _EVENTS_BEFORE: events_before}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Section":
        return cls(**{name: str(kept[name]) for name in ("heading", "text", "provider", "model")})


async def written_sections(calls: Calls, outline: Sequence[RenderedSection], finished: Finished) -> tuple[Section, ...]:
    """All of them. What an earlier run finished is taken from its checkpoints. Raises Refused when a section can't be
    written, or the document grows too long."""
    run = calls.run
    events = await run.times_recorded(SectionCompleted)
    written: list[Section] = []
    for number in range(len(outline)):
        run.progress(0.05 + 0.9 * number / len(outline), f"section {number + 1} of {len(outline)}")
        if number in finished.kept:
            kept = finished.kept[number]
        else:
            if number == finished.sections and (run.attempt > 1 or events):
                # Whatever an earlier run published of it: this one begins anew.
                await run.record(SectionReset(section=number, error=INTERRUPTED, model=""))
            place = Place(number, outline, before=written[-1].text if written else "")
            section = await _written(calls, place)
            kept = await finished.keep(number, section.kept_as(events))
        written.append(Section.of(kept))
        # After its checkpoint: what readers were shown as finished is never written anew. Its run may have ended in between.
        if kept[_EVENTS_BEFORE] == events:
            await run.record(_completed(written[-1], number, len(outline)))
            events += 1
        _check_length(written)
    return tuple(written)


def _check_length(written: Sequence[Section]) -> None:
    if sum(len(one.heading) + len(one.text) for one in written) > MAX_DOCUMENT_CHARACTERS:
        raise Refused(problems.document_too_long(MAX_DOCUMENT_CHARACTERS))


def as_generated(sections: Sequence[Section]) -> tuple[GeneratedSection, ...]:
    return tuple(GeneratedSection(heading=one.heading, text=below(one.text, one.heading)) for one in sections)


async def _written(calls: Calls, place: Place) -> Section:
    for again in range(MAX_TRIES_WHEN_EMPTY):
        text, reply = await _whole(calls, place, tried=again)
        shown = section_text(text)
        if below(shown, place.section.heading):
            return Section(place.section.heading, shown, reply.provider, reply.served_model)
    raise Refused(problems.nothing_written(place.section.heading, reply.model))


async def _whole(calls: Calls, place: Place, *, tried: int) -> tuple[str, ModelReply]:
    """The section's text; where the prompt sets no limit, of several calls if one is cut."""
    limit = calls.brief.prompt.max_output_tokens
    text = ""
    for _ in range(1 if limit else MAX_CALLS_OF_A_SECTION):
        request = section_request(calls.brief, replace(place, so_far=text))
        listener = LiveSection(calls.run, place.number, text)
        reply = await calls.section(request, place.number, listener, tried=tried)
        listener.finish(reply.text)
        text += reply.text
        if len(text) > MAX_SECTION_CHARACTERS:
            raise Refused(problems.document_too_long(MAX_SECTION_CHARACTERS))
        if reply.finish_reason is FinishReason.STOP or not reply.text:
            return text, reply
    tokens = request.max_output_tokens * (1 if limit else MAX_CALLS_OF_A_SECTION)
    raise Refused(problems.section_cut(place.section.heading, reply.model, tokens, by_the_prompt=bool(limit)))


def _completed(section: Section, number: int, of: int) -> SectionCompleted:
    return SectionCompleted(section=number, of=of, heading=section.heading, text=section.text, model=section.model)
