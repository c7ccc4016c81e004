"""Anthropic as a provider of models."""

from functools import partial

from pydantic import SecretStr

from infrastructure.anthropic.client import anthropic_sdk
from infrastructure.anthropic.messages import MessagesApi
from infrastructure.model_http.provider import HttpModelProvider
from infrastructure.model_registry.registry import ModelRegistry


def anthropic_provider(name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry) -> HttpModelProvider:
    return HttpModelProvider(name, MessagesApi(), partial(anthropic_sdk, base_url, key), registry)
