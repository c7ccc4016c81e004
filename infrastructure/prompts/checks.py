"""Checks a version before it is stored: every template can be read, and uses what is declared."""

from collections.abc import Mapping

from infrastructure.liquid.environment import BoundedLiquid
from infrastructure.liquid.faults import place_in
from infrastructure.liquid.template import Template, TemplateUnusable
from infrastructure.prompts.overlays import flaws_of, whole
from schemas.ai.prompts import GIVEN_TO_EVERY_TEMPLATE, PromptContent
from schemas.problems import FieldProblem

MAX_REPORTED = 20


def flaws_in_content(content: PromptContent, base: PromptContent | None) -> list[FieldProblem]:
    """What is wrong with it, with pointers into it: a template that can't be read, a name that isn't declared, a variable that
    is declared and never used. `base` is an overlay's; one that stands alone has none."""
    flaws = _flaws_of_its_kind(content, base)
    templates: dict[str, Template] = {}
    for pointer, source in content.templates().items():
        try:
            templates[pointer] = BoundedLiquid({}).read(source)
        except TemplateUnusable as error:
            flaws.append(FieldProblem(pointer=pointer, detail=str(error)[:300]))
    if not flaws:
        flaws = [*_undeclared(templates, content, base), *_unused(templates, content, base)]
    return flaws[:MAX_REPORTED]


def _flaws_of_its_kind(content: PromptContent, base: PromptContent | None) -> list[FieldProblem]:
    if base is not None:
        return flaws_of(content, base)
    flaws = []
    if content.outline is None and content.sections is None:
        flaws.append(FieldProblem(pointer="/sections", detail="is missing; give it, or an `outline`"))
    if content.without:
        flaws.append(FieldProblem(pointer="/without", detail="is for overlays, which have an `industry`"))
    for place, section in enumerate(content.sections or ()):
        if section.after is not None:
            detail = "is for overlays; sections stand in their order"
            flaws.append(FieldProblem(pointer=f"/sections/{place}/after", detail=detail))
    return flaws


def _undeclared(
    templates: Mapping[str, Template], content: PromptContent, base: PromptContent | None
) -> list[FieldProblem]:
    declared = {*GIVEN_TO_EVERY_TEMPLATE, *content.variables, *(base.variables if base else ())}
    return [
        FieldProblem(pointer=pointer, detail=f"{place_in(template.source, index)}`{name}` isn't declared"[:300])
        for pointer, template in templates.items()
        for name, index in template.names.items()
        if name not in declared
    ]


def _unused(
    templates: Mapping[str, Template], content: PromptContent, base: PromptContent | None
) -> list[FieldProblem]:
    """Of an overlay, what it declares itself: its base's may well be for sections that it leaves out."""
    used = {name for template in templates.values() for name in template.names}
    if base is not None:
        liquid = BoundedLiquid({})
        used.update(name for source in whole(base, content).templates().values() for name in liquid.read(source).names)
    return [
        FieldProblem(pointer=f"/variables/{name}", detail="is declared, and no template uses it")
        for name in content.variables
        if name not in used
    ]
