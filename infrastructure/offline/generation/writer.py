"""Writes a document: fills the sections of a template with facts, and refuses to leave a hole."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from events.ai import GeneratedSection, Writing
from infrastructure.offline.generation.templating import MAX_CHARACTERS, BoundedLiquid
from infrastructure.ports import Refused
from schemas.ai import GenerateDocument, SectionTemplate, TemplateName, WritingLanguage
from schemas.model import FreeJson
from schemas.problems import FieldProblem, Problem

MAX_REPORTED = 50


def write(command: GenerateDocument) -> Writing:
    """The filled sections. Refused when a template can't be read, breaks a limit, or needs a fact that isn't given.

    A name may be missing where a template only asks whether it is there, as in `{% if notes %}`.
    """
    missing: dict[str, None] = {}
    liquid = BoundedLiquid(missing)
    parsed = [_parse(liquid, section, pointer) for section, pointer in _sections(command)]
    settings = {"title": command.title, "language": command.language.value, "tone": command.tone.value}
    values = _given(command.facts) | settings
    sections = tuple(section.fill(values) for section in parsed)
    mentioned = frozenset[str]().union(*(section.names for section in parsed))
    if missing:
        raise Refused(_facts_missing(list(missing), mentioned))
    _check_length(sections)
    return Writing(
        sections=sections,
        unused_facts=tuple(sorted(command.facts.keys() - mentioned)),
        tone_applied="tone" in mentioned,
    )


def _given(value: dict[str, FreeJson]) -> dict[str, Any]:
    """Without nulls and blank strings: filled in, they would leave the hole that a missing fact does."""

    def kept(item: FreeJson) -> Any:
        match item:
            case dict():
                return {name: kept(part) for name, part in item.items() if not _blank(part)}
            case list():
                return [kept(part) for part in item if not _blank(part)]
            case _:
                return item

    return {name: kept(item) for name, item in value.items() if not _blank(item)}


def _blank(value: FreeJson) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _sections(command: GenerateDocument) -> list[tuple[SectionTemplate, str]]:
    """Each with the pointer to blame: in our own wording only a fact can be at fault."""
    if command.sections is not None:
        return [(section, f"/sections/{place}") for place, section in enumerate(command.sections)]
    assert command.template is not None  # The command's own validator sees to it.
    return [(section, "/facts") for section in built_in(command.template, command.language)]


def built_in(name: TemplateName, language: WritingLanguage) -> tuple[SectionTemplate, ...]:
    """The sections of a built-in template. Refused when it has no wording in this language."""
    source = files("infrastructure.offline.generation") / "templates" / f"{name}.{language}.liquid"
    if not source.is_file():
        raise Refused(
            Problem.of(
                "wording-missing",
                "No wording in this language",
                422,
                f"the built-in template {name} has no wording in `{language}`; ask for `en`, or send your own sections",
                errors=(FieldProblem(pointer="/language", detail=f"{name} is not written in {language}"),),
            )
        )
    parts = re.split(r"^## (.+)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(
        SectionTemplate(heading=heading.strip(), text=text.strip())
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Section:
    heading: BoundTemplate
    text: BoundTemplate
    names: frozenset[str]
    """What it mentions that it doesn't set itself."""
    pointer: str

    def fill(self, values: dict[str, Any]) -> GeneratedSection:
        heading = _rendered(self.heading, values, self.pointer)
        return GeneratedSection(
            heading=" ".join(heading.split()), text=_tidied(_rendered(self.text, values, self.pointer))
        )


def _parse(liquid: BoundedLiquid, section: SectionTemplate, pointer: str) -> _Section:
    try:
        heading, text = liquid.read(section.heading), liquid.read(section.text)
        names = frozenset(heading.analyze().globals) | frozenset(text.analyze().globals)
    except (LiquidError, RecursionError) as error:
        raise Refused(_unusable(pointer, error)) from None
    return _Section(heading, text, names, pointer)


def _rendered(template: BoundTemplate, values: dict[str, Any], pointer: str) -> str:
    try:
        return template.render(**values).strip()
    except (LiquidError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        # Liquid's filters let some of Python's own errors through when a fact isn't what they expect.
        raise Refused(_unusable(pointer, error)) from None


def _tidied(text: str) -> str:
    """Tags that print nothing leave empty lines behind; one at a time is enough."""
    return re.sub(r"\n[ \t]*(?:\n[ \t]*)+\n", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE))


def _check_length(sections: tuple[GeneratedSection, ...]) -> None:
    length = sum(len(section.heading) + len(section.text) for section in sections)
    if length > MAX_CHARACTERS:
        raise Refused(
            Problem.of(
                "document-too-long",
                "The document would be too long",
                422,
                f"the sections come to {length:,} characters and {MAX_CHARACTERS:,} are allowed; split the document",
            )
        )


def _facts_missing(names: list[str], mentioned: frozenset[str]) -> Problem:
    return Problem.of(
        "facts-missing",
        "Facts are missing",
        422,
        f"the wording needs facts that were not given: {', '.join(names[:MAX_REPORTED])}",
        errors=tuple(
            FieldProblem(pointer=_pointer(name, mentioned), detail=f"{name} has no value")
            for name in names[:MAX_REPORTED]
        ),
    )


def _pointer(name: str, mentioned: frozenset[str]) -> str:
    """A name that the template sets itself, such as a loop's, has no place of its own among the facts."""
    plain = re.fullmatch(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", name)
    return f"/facts/{name.replace('.', '/')}" if plain and name.partition(".")[0] in mentioned else "/facts"


def _unusable(pointer: str, error: Exception) -> Problem:
    """Liquid's own words for what is wrong. The tag at fault is quoted, never the text around it nor a fact's value."""
    message = str(error.message) if isinstance(error, LiquidError) and error.message else type(error).__name__
    return Problem.of(
        "template-unusable",
        "The template can't be used",
        422,
        "a section can't be parsed or rendered with these facts; correct it and submit again",
        errors=(FieldProblem(pointer=pointer, detail=f"{_tag_at_fault(error)}{message[:300]}"),),
    )


def _tag_at_fault(error: Exception) -> str:
    if not isinstance(error, LiquidError) or error.token is None or error.token.start_index < 0:
        return ""
    source, place = error.token.source, error.token.start_index
    start = max(source.rfind("{{", 0, place + 2), source.rfind("{%", 0, place + 2))
    line = source.count("\n", 0, place) + 1
    tag = re.compile(r"\{[{%][^{}]{0,80}\}{0,2}").match(source, max(start, 0))
    return f"line {line}, {tag.group().strip()}: " if tag else f"line {line}: "
