"""The registry of commands by kind: those that clients may submit, and internal ones."""

from typing import Any

from schemas.ai import AnalyzeContent, GenerateDocument, ProcessDocument
from schemas.batches import BATCH_KIND
from schemas.commands import Command
from schemas.keys import RotateKeys
from schemas.search import IndexDocument
from schemas.webhooks import DeliverWebhook
from schemas.workflow import RunWorkflowStep

_ALL: tuple[type[Command], ...] = (
    ProcessDocument,
    GenerateDocument,
    AnalyzeContent,
    IndexDocument,
    RunWorkflowStep,
    RotateKeys,
)

COMMANDS: dict[str, type[Command]] = {command.kind: command for command in _ALL}
INTERNAL: dict[str, type[Command]] = {DeliverWebhook.kind: DeliverWebhook}
"""Submitted by the system only: clients can't submit them."""
SYSTEM_KINDS: frozenset[str] = frozenset({BATCH_KIND, *INTERNAL})
"""Kinds of jobs that represent another resource with its own endpoints: clients can't submit or replay them."""


class UnknownKind(Exception):
    """No command has this kind. The OpenAPI document lists the known kinds."""


def command_of(kind: str, fields: Any) -> Command:
    """Builds the command from its fields. Raises UnknownKind, or pydantic's ValidationError for invalid fields."""
    if kind not in COMMANDS:
        raise UnknownKind(f"there is no kind of job named {kind!r}; known are {', '.join(COMMANDS)}")
    return COMMANDS[kind].model_validate(fields)
