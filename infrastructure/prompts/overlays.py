"""Puts an overlay over its base."""

from collections.abc import Sequence

from schemas.ai.prompts import PromptContent, PromptSection
from schemas.problems import FieldProblem


def whole(base: PromptContent, overlay: PromptContent) -> PromptContent:
    """What the overlay says together with its base. Single fields and variables of the overlay stand in place of the base's;
    sections go by their keys, and a way to make them, outline or sections, takes the place of the other."""
    given = {
        name: value
        for name in ("system", "models", "max_output_tokens", "temperature")
        if (value := getattr(overlay, name)) is not None
    }
    sections, outline = _sections(base, overlay), overlay.outline or base.outline
    way = {"outline": None, "sections": sections} if sections else {"outline": outline, "sections": None}
    return base.model_copy(update=given | way | {"variables": {**base.variables, **overlay.variables}})


def flaws_of(overlay: PromptContent, base: PromptContent) -> list[FieldProblem]:
    """Sections that it names and its base doesn't have."""
    known = {one.key for one in base.sections or ()}
    flaws = [
        FieldProblem(pointer=f"/without/{place}", detail=f"the base has no section {key!r}")
        for place, key in enumerate(overlay.without)
        if key not in known
    ]
    known = known.difference(overlay.without)
    for place, section in enumerate(overlay.sections or ()):
        if section.after is not None and section.after not in known:
            detail = f"there is no section {section.after!r} before it"
            flaws.append(FieldProblem(pointer=f"/sections/{place}/after", detail=detail))
        known.add(section.key)
    return flaws


def _sections(base: PromptContent, overlay: PromptContent) -> tuple[PromptSection, ...] | None:
    if overlay.outline is not None:
        return None
    merged = [one for one in base.sections or () if one.key is None or one.key not in overlay.without]
    for section in overlay.sections or ():
        _put(section, merged)
    return tuple(merged) or None


def _put(section: PromptSection, into: list[PromptSection]) -> None:
    place = _place_of(section.key, into)
    plain = section.model_copy(update={"after": None})
    if place is not None:
        into[place] = plain
        return
    before = _place_of(section.after, into)
    into.insert(len(into) if before is None else before + 1, plain)


def _place_of(key: str | None, sections: Sequence[PromptSection]) -> int | None:
    return None if key is None else next((place for place, one in enumerate(sections) if one.key == key), None)
