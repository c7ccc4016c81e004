"""Plans a document: which sections it has, and what is asked for each."""

import json
from collections.abc import Mapping
from typing import Any

from infrastructure.ports import Refused
from infrastructure.ports.ai.checkpoints import PLAN
from infrastructure.ports.ai.response import FinishReason
from infrastructure.ports.ai.sizes import MAX_SECTIONS
from schemas.ai.prompts import RenderedSection
from workers.ai.generation.brief import MAX_HEADING_CHARACTERS, MAX_INSTRUCTION_CHARACTERS, plan_request
from workers.ai.generation.calls import Calls
from workers.ai.generation.finished import Finished
from workers.ai.generation.markdown import on_one_line
from workers.ai.generation.problems import nothing_to_write, plan_unusable

MAX_TRIES = 2


class PlanUnusable(ValueError):
    """A model's plan isn't one. The message says why."""


async def planned(calls: Calls, finished: Finished) -> tuple[RenderedSection, ...]:
    """The prompt's sections, or those that a model planned by its outline: once, and then they are kept. Raises Refused when
    there is nothing to write, and when no plan can be had."""
    prompt = calls.brief.prompt
    if prompt.sections:
        return tuple(one.model_copy(update={"heading": on_one_line(one.heading)}) for one in prompt.sections)
    if prompt.outline is None:
        raise Refused(nothing_to_write(prompt.name, prompt.version))
    if finished.plan is not None:
        return _sections_of(finished.plan)
    calls.run.progress(0.02, "planning the sections")
    sections = await _asked_for(calls)
    return _sections_of(await finished.keep(PLAN, {"sections": [one.model_dump() for one in sections]}))


async def _asked_for(calls: Calls) -> tuple[RenderedSection, ...]:
    wrong = ""
    for _ in range(MAX_TRIES):
        reply = await calls.plan(plan_request(calls.brief, wrong=wrong))
        try:
            if reply.finish_reason is FinishReason.MAX_TOKENS:
                raise PlanUnusable("it was too long")
            return read_plan(reply.text)
        except PlanUnusable as unusable:
            wrong = str(unusable)
    raise Refused(plan_unusable(wrong))


def read_plan(text: str) -> tuple[RenderedSection, ...]:
    """The planned sections. Raises PlanUnusable: what a model writes is checked, whatever its provider enforces."""
    try:
        plan: Any = json.loads(text)
        sections = [RenderedSection.model_validate(one) for one in plan["sections"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PlanUnusable("it isn't JSON of the form that was asked for") from None
    sections = [RenderedSection(heading=on_one_line(one.heading), instruction=one.instruction) for one in sections]
    if not sections:
        raise PlanUnusable("it has no sections")
    if len(sections) > MAX_SECTIONS:
        raise PlanUnusable(f"it has {len(sections)} sections; {MAX_SECTIONS} are allowed")
    for number, one in enumerate(sections, start=1):
        if not one.heading or len(one.heading) > MAX_HEADING_CHARACTERS:
            raise PlanUnusable(f"the heading of section {number} has to have 1 to {MAX_HEADING_CHARACTERS} characters")
        if len(one.instruction) > MAX_INSTRUCTION_CHARACTERS:
            raise PlanUnusable(
                f"the instruction of section {number} is longer than {MAX_INSTRUCTION_CHARACTERS} characters"
            )
    return tuple(sections)


def _sections_of(kept: Mapping[str, Any]) -> tuple[RenderedSection, ...]:
    return tuple(RenderedSection.model_validate(one) for one in kept["sections"])
