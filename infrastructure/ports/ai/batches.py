"""The port to a provider's batch interface: an answer within a day, at half of the price."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr

from infrastructure.ports.ai.errors import ModelError
from infrastructure.ports.ai.request import ModelRequest
from infrastructure.ports.ai.response import ModelResponse

SERVED_TIER = "batch"
"""What responses of a batch say of their tier, whatever word the provider has for it: it decides their price."""
WINDOW_SECONDS = 24 * 3_600.0
"""Both providers promise an end within a day: the answer, or that the request expired and isn't charged."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider hasn't come to it yet."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The batch ended without an answer: it expired, was cancelled, or isn't there any more. Nothing is charged."""

    reason: str


BatchOutcome = Pending | Unanswered | ModelResponse | ModelError
"""A ModelError in it is how the request itself ended."""


class ModelBatches(Protocol):
    """One request in a batch of its own: the discount doesn't depend on how many share one, and nobody waits for others.

    Every failure of a call is a ModelError.
    """

    name: str

    async def submit(self, request: ModelRequest, custom_id: UUID, key: SecretStr | None = None) -> str:
        """The batch's id. Not safe to repeat: it submits another."""
        ...

    async def outcome(self, batch_id: str, custom_id: UUID, model: str, key: SecretStr | None = None) -> BatchOutcome:
        """How it stands. Raises a ModelError when that can't be asked now. Free, and safe to repeat."""
        ...

    async def cancel(self, batch_id: str, model: str, key: SecretStr | None = None) -> None:
        """Asks for its end; what the provider has written by then is charged, so ask for the outcome afterwards."""
        ...
