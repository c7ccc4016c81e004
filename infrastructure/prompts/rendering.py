"""Fills a prompt's templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.liquid.filters import MAX_CHARACTERS
from infrastructure.liquid.given import pointer_to_value
from infrastructure.liquid.template import Template, TemplateUnusable
from infrastructure.ports import Refused
from infrastructure.prompts.parsed import ParsedPrompts
from infrastructure.prompts.variables import MAX_REPORTED, filled, flaws_in
from schemas.ai.prompts import PromptContent, PromptVersion, RenderedPrompt, RenderedSection
from schemas.model import FreeJson
from schemas.problems import FieldProblem, Problem

_PARSED = ParsedPrompts()


@dataclass(frozen=True, slots=True)
class Rendering:
    prompt: RenderedPrompt
    unused: tuple[str, ...]
    """Given variables that it never mentions."""


def rendered(
    version: PromptVersion, content: PromptContent, values: Mapping[str, FreeJson], *, place: str = "/facts"
) -> Rendering:
    """The version, whose whole content is given, with the values filled in as text. `place` is where the values are, for
    pointers. Raises Refused when one is missing, unknown or of another type, or the templates can't be filled."""
    if flaws := flaws_in(values, content):
        raise Refused(variables_unfit([_below(place, flaw) for flaw in flaws]))
    given = filled(values, content)
    try:
        with _PARSED.taken(content) as parsed:
            texts = {pointer: _fill(template, pointer, given) for pointer, template in parsed.templates.items()}
            missing = [*parsed.liquid.missing]
    except TemplateUnusable as error:
        raise Refused(_unusable(error)) from None
    mentioned = frozenset(name for template in parsed.templates.values() for name in template.names)
    if missing:
        raise Refused(variables_unfit([_missing(name, mentioned, place) for name in missing[:MAX_REPORTED]]))
    _check_length(texts)
    return Rendering(_prompt(version, content, texts), tuple(sorted(values.keys() - mentioned)))


def variables_unfit(errors: list[FieldProblem]) -> Problem:
    detail = "Some of the prompt's variables are missing, unknown or of another type. See errors for each."
    return Problem.of(
        "variables-unfit", "The prompt can't be filled with these values", 422, detail, errors=tuple(errors)
    )


def _fill(template: Template, pointer: str, values: dict[str, Any]) -> str:
    try:
        return template.fill_line(values) if pointer.endswith("/heading") else template.fill_text(values)
    except TemplateUnusable as error:
        raise TemplateUnusable(f"{pointer}: {error}") from None


def _unusable(error: TemplateUnusable) -> Problem:
    return Problem.of(
        "template-unusable",
        "The prompt's template can't be used",
        422,
        f"A template of the prompt can't be filled with these values: {error}. "
        "Correct the values, or add a version of the prompt.",
    )


def _check_length(texts: Mapping[str, str]) -> None:
    length = sum(map(len, texts.values()))
    if length > MAX_CHARACTERS:
        detail = f"It comes to {length:,} characters, and {MAX_CHARACTERS:,} are allowed. Give it less to say."
        raise Refused(Problem.of("prompt-too-long", "The filled prompt is too long", 422, detail))


def _missing(name: str, mentioned: frozenset[str], place: str) -> FieldProblem:
    return FieldProblem(pointer=f"{place}{pointer_to_value(name, mentioned)}", detail=f"{name} has no value"[:300])


def _below(place: str, flaw: FieldProblem) -> FieldProblem:
    return FieldProblem(pointer=f"{place}{flaw.pointer}", detail=flaw.detail)


def _prompt(version: PromptVersion, content: PromptContent, texts: Mapping[str, str]) -> RenderedPrompt:
    return RenderedPrompt(
        name=version.name,
        version=version.version,
        industry=version.industry,
        system=texts.get("/system", ""),
        outline=texts.get("/outline"),
        sections=tuple(
            RenderedSection(
                heading=texts[f"/sections/{number}/heading"], instruction=texts[f"/sections/{number}/instruction"]
            )
            for number in range(len(content.sections or ()))
        ),
        models=content.models,
        max_output_tokens=content.max_output_tokens,
        temperature=content.temperature,
    )
