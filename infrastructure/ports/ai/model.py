"""The port to a provider of language models."""

from collections.abc import AsyncGenerator
from typing import Protocol

from pydantic import SecretStr

from infrastructure.ports.ai.batches import ModelBatches
from infrastructure.ports.ai.request import ModelRequest
from infrastructure.ports.ai.response import Health, ModelEvent, ModelResponse


class ModelProvider(Protocol):
    """Calls one provider's models, once each: nothing is retried in here. Every failure is a ModelError.

    `key` is a tenant's own; without it the process's key from the settings is used. One provider serves all tenants and
    keys of a process over the same connections.
    """

    name: str

    @property
    def batches(self) -> ModelBatches | None:
        """None where it has no batch interface."""
        ...

    async def complete(self, request: ModelRequest, key: SecretStr | None = None) -> ModelResponse:
        """The whole answer. Not safe to repeat: a call that failed may have been charged for, see `failure.accepted`."""
        ...

    def stream(self, request: ModelRequest, key: SecretStr | None = None) -> AsyncGenerator[ModelEvent, None]:
        """Started, then text and usage as they come, and Finished last; a stream without Finished always raises.

        Close it (`contextlib.aclosing`) to give up: the connection is closed and the provider stops writing.
        """
        ...

    async def count_tokens(self, request: ModelRequest, key: SecretStr | None = None) -> int:
        """The request's input tokens, exactly where the provider counts them, else an upper bound. Free."""
        ...

    async def list_models(self, key: SecretStr | None = None) -> tuple[str, ...]:
        """The models that the key may use, at most 1,000. Free."""
        ...

    async def health(self, key: SecretStr | None = None) -> Health:
        """How a free call went and how long it took. Never raises a ModelError: that's its answer."""
        ...

    async def close(self) -> None:
        """Closes the connections. Calls under way fail."""
        ...
