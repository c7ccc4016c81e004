"""Prompts as they are listed."""

from datetime import datetime

from schemas.ai.labels import PromptLabelState
from schemas.ai.prompts import PromptName, PromptVersionNumber
from schemas.model import Model


class Prompt(Model):
    name: PromptName
    description: str
    shipped: bool
    """Whether it came with Bucatini: every tenant can use it. A tenant's own versions come after those that it came with."""
    newest_version: PromptVersionNumber
    labels: tuple[PromptLabelState, ...]
    created_at: datetime | None


class PromptPage(Model):
    prompts: tuple[Prompt, ...]
    next_cursor: str | None
