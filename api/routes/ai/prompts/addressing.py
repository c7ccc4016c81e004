"""What the addresses of prompts name, and the conditions that requests put on it."""

from typing import Annotated, Any, Final

from pydantic import Field

from api.endpoint import Call
from api.http import problems
from api.http.entity_tags import tags_in
from api.http.validation import model_of
from infrastructure.postgres.documents.etags import Precondition
from infrastructure.postgres.prompts import versions
from schemas.ai.prompts import Industry, PromptLabel, PromptName, PromptVersion, PromptVersionNumber
from schemas.model import Model

WHAT: Final = "prompt"
PATH: Final = "/api/prompts"


class NamePageQuery(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None
    """`next_cursor` of the previous page."""


class ToVersion(Model):
    to: PromptVersionNumber | None = None
    """The later version; the one after it if it isn't given."""


class HistoryQuery(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=200)] | None = None
    """`next_cursor` of the previous page."""
    industry: Industry | None = None
    """Only moves for this industry."""


class _Named(Model):
    name: PromptName


class _Labelled(Model):
    label: PromptLabel


def label_in(call: Call[Any, Any]) -> str:
    """Raises a Refusal (422) for what can't be a label's name."""
    return model_of(_Labelled, {"label": call.path["label"]}).label


def test_in(call: Call[Any, Any]) -> str:
    """Raises a Refusal (422) for what can't be a test's name."""
    return model_of(_Named, {"name": call.path["test"]}).name


def number_in(call: Call[Any, Any]) -> int:
    """The version in the path. Raises a Refusal (404) for what is no number."""
    given = call.path["n"]
    if not (given.isascii() and given.isdigit() and len(given) <= 7 and int(given) > 0):
        raise problems.not_found("version")
    return int(given)


def precondition_of(call: Call[Any, Any]) -> Precondition:
    """Raises a Refusal (400) for a header that can't be read."""
    return Precondition(tags_in("If-Match", call.headers.get("if-match")))


def doer(call: Call[Any, Any]) -> str:
    """Who does it, as it is kept with a version or a move."""
    return call.principal.key_id or call.principal.subject


async def found_version(call: Call[Any, Any], name: str, number: int) -> PromptVersion:
    """The version, as it was given. Raises a Refusal (404) when it isn't there."""
    found = await call.db.run(versions.find, [(name, number)])
    version = await versions.version_in(call.ingress.sealer, call.tenant_id, found, name, number)
    if version is None:
        raise problems.not_found("version")
    return version
