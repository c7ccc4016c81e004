"""What the commands of the AI queue share: titles, and how a model is chosen for one."""

from decimal import Decimal
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from schemas.commands import Command, Jitter, RetryPolicy

MAX_READ_CHARACTERS = 1_000_000
"""So much of a stored document's text is read, from its beginning: about four hundred pages."""
MAX_MODELS: Final = 5


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank; send at least one word")
    return text


Title = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_some_words)]
DocumentId = Annotated[str, Field(min_length=1, max_length=200, examples=["contracts/2026/0117"])]
ModelName = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[\w./:@+-]+$", examples=["claude-sonnet-5-5"])
]
"""A model as the registry names it: `GET /api/ai/providers/status` lists them."""
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=14, decimal_places=8, examples=["0.50"])]


class ModelCommand(Command):
    """The base of commands whose jobs call models."""

    max_attempts: ClassVar[int] = 6
    retry: ClassVar[RetryPolicy] = RetryPolicy(base_seconds=10, most_seconds=600, jitter=Jitter.EQUAL)
    """A provider that failed is given minutes: it seldom comes back within a second."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=MAX_MODELS)] | None = None
    """The models that may do it, best first: the next is taken while one can't be used. Without it, those that the
    deployment names for the task."""
    max_cost_usd: Dollars | None = None
    """What the job may spend, in US dollars and over all its attempts. Once no further call fits in, it fails."""
