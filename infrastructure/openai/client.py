"""OpenAI's SDK: one client per process for all keys, over aiohttp, with its own retries off."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import SecretStr

from infrastructure.model_http.api import Reply
from infrastructure.model_http.transport import (
    connect_timeout,
    connection_limits,
    keep_requests_out_of_logs,
    translated,
)

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

BATCHED = "/v1/responses"
NO_KEY = "none"
"""Servers without keys ignore it; the SDK insists on one."""


class OpenAiSdk:
    """`chat` calls chat completions instead of Responses."""

    def __init__(self, client: "AsyncOpenAI", http_client: "httpx2.AsyncClient", *, chat: bool) -> None:
        self._client = client
        self._http_client = http_client
        self._chat = chat

    @asynccontextmanager
    async def create(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        client = self._client_for(key)
        create: Any = (
            client.chat.completions.with_streaming_response.create
            if self._chat
            else client.responses.with_streaming_response.create
        )
        async with _translated(), create(**body, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def count(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        count: Any = self._client_for(key).responses.input_tokens.with_streaming_response.count
        async with _translated(), count(**body, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def models(self, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        list_models: Any = self._client_for(key).models.with_streaming_response.list
        async with _translated(), list_models(timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def submit_batch(
        self, body: Mapping[str, Any], custom_id: str, key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        client, timeout = self._client_for(key), connect_timeout(connect_seconds)
        line = orjson.dumps({"custom_id": custom_id, "method": "POST", "url": BATCHED, "body": body})
        async with _translated():
            file = await client.files.create(file=(f"{custom_id}.jsonl", line), purpose="batch", timeout=timeout)
            create: Any = client.batches.with_streaming_response.create
            wanted = {"input_file_id": file.id, "endpoint": BATCHED, "completion_window": "24h"}
            async with create(**wanted, timeout=timeout) as reply:
                yield reply

    @asynccontextmanager
    async def batch(self, batch_id: str, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        retrieve: Any = self._client_for(key).batches.with_streaming_response.retrieve
        async with _translated(), retrieve(batch_id, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def batch_results(
        self, batch_id: str, results: str, key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        content: Any = self._client_for(key).files.with_streaming_response.content
        async with _translated(), content(results, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def cancel_batch(self, batch_id: str, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        cancel: Any = self._client_for(key).batches.with_streaming_response.cancel
        async with _translated(), cancel(batch_id, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    async def close(self) -> None:
        await self._http_client.aclose()

    def _client_for(self, key: SecretStr | None) -> "AsyncOpenAI":
        if key is None:
            return self._client
        return _without_environment(self._client.with_options(api_key=key.get_secret_value()))


async def openai_sdk(base_url: str, key: SecretStr | None, *, chat: bool) -> OpenAiSdk:
    """Imports the SDK in a thread: it takes seconds, which the jobs on the event loop haven't got."""
    return await asyncio.to_thread(_built, base_url, key, chat=chat)


def _built(base_url: str, key: SecretStr | None, *, chat: bool) -> OpenAiSdk:
    import openai

    keep_requests_out_of_logs("openai")
    # A redirect would carry the document to wherever it points.
    http_client = openai.DefaultAioHttpClient(limits=connection_limits(), follow_redirects=False)
    client = openai.AsyncOpenAI(
        api_key=key.get_secret_value() if key else NO_KEY,
        base_url=base_url,
        max_retries=0,
        http_client=http_client,
    )
    return OpenAiSdk(_without_environment(client), http_client, chat=chat)


def _without_environment(client: "AsyncOpenAI") -> "AsyncOpenAI":
    # It takes these from OPENAI_ORG_ID and OPENAI_PROJECT_ID, and they needn't be those of the key.
    client.organization = client.project = None
    return client


def _translated() -> AbstractAsyncContextManager[None]:
    import openai

    return translated(openai)
