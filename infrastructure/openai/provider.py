"""Providers that speak OpenAI's interfaces: OpenAI itself, and compatible servers at any address."""

from functools import partial

from pydantic import SecretStr

from infrastructure.model_http.provider import HttpModelProvider
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.openai.batches import OpenAiBatches
from infrastructure.openai.chat import ChatApi
from infrastructure.openai.client import openai_sdk
from infrastructure.openai.responses import ResponsesApi


def responses_provider(
    name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry, *, needs_key: bool
) -> HttpModelProvider:
    """`key` is for callers who bring none; with `needs_key` they are refused if there is none either."""
    sdk = partial(openai_sdk, base_url, key, chat=False)
    return HttpModelProvider(
        name, ResponsesApi(), sdk, registry, needs_key=needs_key and key is None, batch_api=OpenAiBatches()
    )


def chat_provider(
    name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry, *, needs_key: bool
) -> HttpModelProvider:
    """As above."""
    sdk = partial(openai_sdk, base_url, key, chat=True)
    return HttpModelProvider(name, ChatApi(), sdk, registry, needs_key=needs_key and key is None)
