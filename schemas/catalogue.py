"""Every command there is, by kind: one explicit list of those anybody may submit, and one of our own."""

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
"""Made by the system itself: workers carry them out, nobody may submit them."""
SYSTEM_KINDS: frozenset[str] = frozenset({BATCH_KIND, *INTERNAL})
"""Of jobs that only stand for something else, which has an address of its own: nobody may submit or replay them."""


class UnknownKind(Exception):
    """No command has this kind. Look at the kinds in the API's description."""


def command_of(kind: str, fields: Any) -> Command:
    """The command made of the fields. UnknownKind, or pydantic's ValidationError when they don't fit it."""
    if kind not in COMMANDS:
        raise UnknownKind(f"there is no kind of job named {kind!r}; known are {', '.join(COMMANDS)}")
    return COMMANDS[kind].model_validate(fields)
