"""The endpoints that submit commands as jobs: one for each kind, made from its command."""

from collections.abc import Iterable
from typing import Any

from api.endpoint import AnyEndpoint
from api.routes.commands import command_endpoint
from api.routes.search.indexing import IndexRequest, reindex, roll_back
from api.routes.workflow import start_workflow
from events.catalogue import Kind
from schemas.commands import Command
from schemas.search import IndexDocument, IndexDocuments, Reindex, RollBack
from schemas.workflow import RunWorkflowStep

_CHECKED: dict[type[Command], Any] = {RunWorkflowStep: start_workflow, Reindex: reindex, RollBack: roll_back}
"""Commands that more is done with than to pass their model before they are submitted."""
_BODIES: dict[type[Command], type[Command]] = {IndexDocument: IndexRequest}
"""Bodies that aren't the command alone."""
_MANY = frozenset({IndexDocument, IndexDocuments})
"""Commands whose bodies may be as large as that of a batch."""


def endpoints(kinds: Iterable[Kind]) -> tuple[AnyEndpoint, ...]:
    """One for each of the kinds, in their order."""
    return tuple(_endpoint(kind.command) for kind in kinds)


def _endpoint(command: type[Command]) -> AnyEndpoint:
    return command_endpoint(command, handle=_CHECKED.get(command), body=_BODIES.get(command), many=command in _MANY)
