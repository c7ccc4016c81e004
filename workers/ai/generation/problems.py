"""Why a document can't be written. What concerns the models themselves is in workers/ai/pipeline/problems.py."""

from schemas.problems import FieldProblem, Problem

_PROMPT = "/prompt"


def nothing_to_write(prompt: str, version: int) -> Problem:
    detail = f"Version {version} of the prompt {prompt} has neither sections nor an outline. Use one that has."
    return Problem.of("prompt-without-sections", "The prompt has no sections", 422, detail, errors=_at(_PROMPT, detail))


def plan_unusable(reason: str) -> Problem:
    detail = (
        f"The model's plan can't be used: {reason}. Say more about the sections in the prompt's outline, or name them."
    )
    return Problem.of("plan-unusable", "The document can't be planned", 422, detail, errors=_at(_PROMPT, detail))


def no_room_for_inputs(prompt: str) -> Problem:
    detail = f"A model that may be used takes so little that the prompt {prompt} leaves no room for documents. Name larger models."
    return Problem.of("no-room-for-inputs", "The inputs don't fit", 422, detail, errors=_at("/inputs", detail))


def nothing_written(heading: str, model: str) -> Problem:
    detail = f"The model {model} wrote nothing for the section {heading!r}, twice. Ask for it in other words, or another model."
    return Problem.of("nothing-written", "A section is empty", 422, detail, errors=_at(_PROMPT, detail))


def section_cut(heading: str, model: str, tokens: int, *, by_the_prompt: bool) -> Problem:
    advice = "Raise the prompt's max_output_tokens" if by_the_prompt else "Divide it into more sections"
    detail = (
        f"The section {heading!r} didn't end within {tokens:,} tokens of the model {model}. {advice}, or ask for less."
    )
    return Problem.of("section-cut", "A section was cut short", 422, detail, errors=_at(_PROMPT, detail))


def document_too_long(limit: int) -> Problem:
    detail = f"The sections come to more than {limit:,} characters. Divide the document."
    return Problem.of("document-too-long", "The document would be too long", 422, detail, errors=_at(_PROMPT, detail))


def _at(pointer: str, detail: str) -> tuple[FieldProblem, ...]:
    return (FieldProblem(pointer=pointer, detail=detail),)
