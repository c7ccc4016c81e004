"""What one version says otherwise than another."""

from collections.abc import Mapping
from typing import Any

from schemas.ai.prompts import PromptChange, PromptContent


def changes_between(before: PromptContent, after: PromptContent) -> tuple[PromptChange, ...]:
    """By field; sections go by their keys where they have one, so that a new one doesn't move all others."""
    old, new = _fields(before), _fields(after)
    return tuple(
        PromptChange(pointer=pointer, before=old.get(pointer), after=new.get(pointer))
        for pointer in [*old, *(one for one in new if one not in old)]
        if old.get(pointer) != new.get(pointer)
    )


def _fields(content: PromptContent) -> Mapping[str, Any]:
    said = content.model_dump(mode="json", exclude_defaults=True)
    fields = {f"/{name}": value for name, value in said.items() if name not in ("sections", "variables")}
    for place, section in enumerate(said.get("sections", ())):
        named = f"/sections/{section.get('key') or place}"
        fields |= {f"{named}/{part}": section[part] for part in ("heading", "instruction")}
    if "sections" in said:
        fields["/sections"] = [one.get("key") or str(place) for place, one in enumerate(said["sections"])]
    return fields | {f"/variables/{name}": one for name, one in said.get("variables", {}).items()}
