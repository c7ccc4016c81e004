"""Anthropic's SDK: one client per process for all keys, over aiohttp, with its own retries and traces off."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from infrastructure.model_http.api import Reply
from infrastructure.model_http.schemas import in_words
from infrastructure.model_http.transport import (
    connect_timeout,
    connection_limits,
    keep_requests_out_of_logs,
    translated,
)

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

NO_KEY = "none"
"""Without one the SDK looks for others' credentials in the environment and in files."""
PAGE_SIZE = 1_000


class AnthropicSdk:
    def __init__(self, client: "AsyncAnthropic", http_client: "httpx2.AsyncClient") -> None:
        self._client = client
        self._http_client = http_client

    @asynccontextmanager
    async def create(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        create: Any = self._client_for(key).messages.with_streaming_response.create
        async with _translated(), create(**_with_schema(body), timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def count(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        count: Any = self._client_for(key).messages.with_streaming_response.count_tokens
        async with _translated(), count(**_with_schema(body), timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def models(self, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        list_models: Any = self._client_for(key).models.with_streaming_response.list
        async with _translated(), list_models(limit=PAGE_SIZE, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def submit_batch(
        self, body: Mapping[str, Any], custom_id: str, key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        create: Any = self._client_for(key).messages.batches.with_streaming_response.create
        requests = [{"custom_id": custom_id, "params": _with_schema(body)}]
        async with _translated(), create(requests=requests, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def batch(self, batch_id: str, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        retrieve: Any = self._client_for(key).messages.batches.with_streaming_response.retrieve
        async with _translated(), retrieve(batch_id, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def batch_results(
        self, batch_id: str, results: str, key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        read: Any = self._client_for(key).messages.batches.with_streaming_response.results
        async with _translated(), read(batch_id, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def cancel_batch(self, batch_id: str, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        cancel: Any = self._client_for(key).messages.batches.with_streaming_response.cancel
        async with _translated(), cancel(batch_id, timeout=connect_timeout(connect_seconds)) as reply:
            yield reply

    async def close(self) -> None:
        await self._http_client.aclose()

    def _client_for(self, key: SecretStr | None) -> "AsyncAnthropic":
        return self._client if key is None else self._client.with_options(api_key=key.get_secret_value())


async def anthropic_sdk(base_url: str, key: SecretStr | None) -> AnthropicSdk:
    """Imports the SDK in a thread: it takes seconds, which the jobs on the event loop haven't got."""
    return await asyncio.to_thread(_built, base_url, key)


def _built(base_url: str, key: SecretStr | None) -> AnthropicSdk:
    import anthropic

    keep_requests_out_of_logs("anthropic")
    # A redirect would carry the document to wherever it points.
    http_client = anthropic.DefaultAioHttpClient(limits=connection_limits(), follow_redirects=False)
    client = anthropic.AsyncAnthropic(
        api_key=key.get_secret_value() if key else NO_KEY,
        base_url=base_url,
        max_retries=0,
        http_client=http_client,
        open_telemetry=False,  # A call's spans are the pipeline's, in one form for every provider.
    )
    return AnthropicSdk(client, http_client)


def _with_schema(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body, with its schema in the dialect that Anthropic enforces. A schema that the SDK can't put into it is asked
    for in words."""
    wanted = body.get("output_config")
    if not wanted:
        return dict(body)
    import anthropic

    schema = wanted["format"]["schema"]
    try:
        enforced = anthropic.transform_schema(schema)
    except Exception:  # noqa: BLE001  # Whatever it trips over, such as a list of types: it is no reason to give up.
        unenforced = {name: value for name, value in body.items() if name != "output_config"}
        return {**unenforced, "system": [*body.get("system", []), {"type": "text", "text": in_words(schema)}]}
    return {**body, "output_config": {"format": {"type": "json_schema", "schema": enforced}}}


def _translated() -> AbstractAsyncContextManager[None]:
    import anthropic

    return translated(anthropic)
