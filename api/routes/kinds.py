"""The endpoints that submit commands as jobs: one for each kind, made from its command."""

from collections.abc import Iterable
from typing import Any

from api.endpoint import AnyEndpoint
from api.routes.commands import command_endpoint
from api.routes.workflow import start_workflow
from events.catalogue import Kind
from schemas.commands import Command
from schemas.workflow import RunWorkflowStep

_CHECKED: dict[type[Command], Any] = {RunWorkflowStep: start_workflow}
"""Commands that must pass more than their model before they are submitted."""


def endpoints(kinds: Iterable[Kind]) -> tuple[AnyEndpoint, ...]:
    """One for each of the kinds, in their order."""
    return tuple(command_endpoint(kind.command, handle=_CHECKED.get(kind.command)) for kind in kinds)
