"""Providers that speak OpenAI's interfaces: OpenAI itself, and compatible servers at any address."""

from functools import partial

from pydantic import SecretStr

from infrastructure.model_http.provider import HttpModelProvider
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.openai.chat import ChatApi
from infrastructure.openai.client import openai_sdk
from infrastructure.openai.responses import ResponsesApi


def responses_provider(name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry) -> HttpModelProvider:
    return HttpModelProvider(name, ResponsesApi(), partial(openai_sdk, base_url, key, chat=False), registry)


def chat_provider(name: str, base_url: str, key: SecretStr | None, registry: ModelRegistry) -> HttpModelProvider:
    return HttpModelProvider(name, ChatApi(), partial(openai_sdk, base_url, key, chat=True), registry)
