"""Anthropic as a provider of models."""

from functools import partial

from pydantic import SecretStr

from infrastructure.anthropic.batches import MessageBatches
from infrastructure.anthropic.client import anthropic_sdk
from infrastructure.anthropic.messages import MessagesApi
from infrastructure.model_http.provider import HttpModelProvider
from infrastructure.model_registry.registry import ModelRegistry


def anthropic_provider(name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry) -> HttpModelProvider:
    """`key` is for callers who bring none; they are refused if there is none either."""
    sdk = partial(anthropic_sdk, base_url, key)
    return HttpModelProvider(name, MessagesApi(), sdk, registry, needs_key=key is None, batch_api=MessageBatches())
