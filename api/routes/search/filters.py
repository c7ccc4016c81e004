"""The filters of a search as query parameters."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from api.http.validation import model_of
from schemas.model import Model
from schemas.search import Filters, Moment

SEPARATOR: Final = ","

_Listed = Annotated[str, Field(max_length=400)]
"""All of them together fit into a request's head, whatever they are made of."""
_Number = Annotated[int, Field(ge=0, le=2**53)]
_LISTS: Final = (
    "document_types",
    "industries",
    "languages",
    "tags",
    "any_tags",
    "media_types",
    "document_ids",
    "has",
    "lacks",
)
_ENDS: Final[Mapping[str, tuple[str, str]]] = {
    "created": ("since", "before"),
    "updated": ("since", "before"),
    "characters": ("at_least", "below"),
    "pages": ("at_least", "below"),
}


class FilterQuery(Model):
    """Lists have commas between. A value with a comma in it can be given to POST /api/search/advanced only."""

    document_types: _Listed | None = None
    industries: _Listed | None = None
    languages: _Listed | None = None
    tags: _Listed | None = None
    """All of them must be present."""
    any_tags: _Listed | None = None
    """At least one of them must be present."""
    media_types: _Listed | None = None
    document_ids: _Listed | None = None
    has: _Listed | None = None
    """Fields that must have a value."""
    lacks: _Listed | None = None
    """Fields that must have none."""
    created_since: Moment | None = None
    created_before: Moment | None = None
    updated_since: Moment | None = None
    updated_before: Moment | None = None
    characters_at_least: _Number | None = None
    characters_below: _Number | None = None
    pages_at_least: _Number | None = None
    pages_below: _Number | None = None


def filters_of(query: FilterQuery) -> Filters:
    """Raises a Refusal (422) that names the parameter."""
    given: dict[str, Any] = {
        name: listed(text) for name in _LISTS if (text := getattr(query, name)) is not None and listed(text)
    }
    for name, ends in _ENDS.items():
        limits = {end: limit for end in ends if (limit := getattr(query, f"{name}_{end}")) is not None}
        if limits:
            given[name] = limits
    return model_of(Filters, given, ["query"])


def listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(SEPARATOR) if one.strip()]
