"""Writes a document: fills the sections of a template with facts, and refuses to leave a hole."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from events.ai import GeneratedSection, Writing
from infrastructure.liquid.environment import BoundedLiquid
from infrastructure.liquid.filters import MAX_CHARACTERS
from infrastructure.liquid.given import given, pointer_to_value
from infrastructure.liquid.template import Template, TemplateUnusable
from infrastructure.ports import Refused
from schemas.ai import GenerateDocument, SectionTemplate, TemplateName, WritingLanguage
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
    values = given(command.facts) | settings
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
    heading: Template
    text: Template
    pointer: str

    @property
    def names(self) -> frozenset[str]:
        """What it mentions that it doesn't set itself."""
        return frozenset(self.heading.names) | frozenset(self.text.names)

    def fill(self, values: dict[str, Any]) -> GeneratedSection:
        try:
            return GeneratedSection(heading=self.heading.fill_line(values), text=self.text.fill_text(values))
        except TemplateUnusable as error:
            raise Refused(_unusable(self.pointer, error)) from None


def _parse(liquid: BoundedLiquid, section: SectionTemplate, pointer: str) -> _Section:
    try:
        return _Section(liquid.read(section.heading), liquid.read(section.text), pointer)
    except TemplateUnusable as error:
        raise Refused(_unusable(pointer, error)) from None


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
            FieldProblem(pointer=f"/facts{pointer_to_value(name, mentioned)}", detail=f"{name} has no value")
            for name in names[:MAX_REPORTED]
        ),
    )


def _unusable(pointer: str, error: TemplateUnusable) -> Problem:
    return Problem.of(
        "template-unusable",
        "The template can't be used",
        422,
        "a section can't be parsed or rendered with these facts; correct it and submit again",
        errors=(FieldProblem(pointer=pointer, detail=str(error)),),
    )
