"""Who did the work behind a result, and how."""

from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import field_serializer

from schemas.model import Model


class Method(StrEnum):
    EXTRACTIVE = "extractive"
    """Chosen from the text word for word, by statistics and rules. Nothing is written anew."""
    TEMPLATE = "template"
    """A template's wording, filled with the given facts."""
    RULES = "rules"
    """Counted, and matched against lists that are part of the product."""
    MODEL = "model"
    """Written by a language model."""


class Provider(Model):
    """Who did the work, and how."""

    name: str
    method: Method


class ModelAttempt(Model):
    """One call of a provider, as the ledger has it."""

    id: UUID
    provider: str
    model: str
    purpose: str
    """What it was for: plan, section, extract, repair, classify, score, compare, test."""
    section: int | None = None
    outcome: str
    """`succeeded`, `cached`, `shared` with a concurrent call, or the class of its error."""
    cost_usd: Decimal | None
    """None when nobody knows it."""

    @field_serializer("cost_usd")
    def _plain(self, value: Decimal | None) -> str | None:
        return None if value is None else format(value, "f")


class Provenance(Model):
    """Where a result is from: which models were called for it, in which order, and what that cost."""

    prompt: str | None = None
    prompt_version: int | None = None
    prompt_label: str | None = None
    models: tuple[str, ...] = ()
    """Those whose answers are in the result, as the providers name them."""
    attempts: tuple[ModelAttempt, ...] = ()
    """Of all the job's runs. The first 200."""
    calls: int = 0
    cached: int = 0
    cost_usd: Decimal = Decimal(0)
    priced: bool = True
    """False when some call's cost isn't known: then `cost_usd` is too little."""

    @field_serializer("cost_usd")
    def _plain(self, value: Decimal) -> str:
        return format(value, "f")
