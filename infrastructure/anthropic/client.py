"""Anthropic's SDK: one client per process for all keys, over aiohttp, with its own retries and traces off."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from infrastructure.model_http.api import Reply
from infrastructure.model_http.failures import Refusal
from infrastructure.model_http.schemas import in_words

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

MAX_CONNECTIONS = 2_000
"""More than a process has calls in flight: what waits for a connection would pass for a provider that is away."""
MAX_IDLE_CONNECTIONS = 200
IDLE_SECONDS = 30.0
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
        async with _translated(), create(**_with_schema(body), timeout=_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def count(
        self, body: Mapping[str, Any], key: SecretStr | None, connect_seconds: float
    ) -> AsyncIterator[Reply]:
        count: Any = self._client_for(key).messages.with_streaming_response.count_tokens
        async with _translated(), count(**_with_schema(body), timeout=_timeout(connect_seconds)) as reply:
            yield reply

    @asynccontextmanager
    async def models(self, key: SecretStr | None, connect_seconds: float) -> AsyncIterator[Reply]:
        list_models: Any = self._client_for(key).models.with_streaming_response.list
        async with _translated(), list_models(limit=PAGE_SIZE, timeout=_timeout(connect_seconds)) as reply:
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
    import httpx2

    for name in ("anthropic", "httpx2", "httpcore2"):
        # At DEBUG they log whole requests, with documents.
        logging.getLogger(name).setLevel(logging.WARNING)
    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_SECONDS,
    )
    # A redirect would carry the document to wherever it points.
    http_client = anthropic.DefaultAioHttpClient(limits=limits, follow_redirects=False)
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


def _timeout(connect_seconds: float) -> "httpx2.Timeout":
    import httpx2

    # Only the connection: its waiting for tokens is bounded by CallClock, which knows keep-alives from text.
    return httpx2.Timeout(None, connect=connect_seconds, pool=connect_seconds)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    import anthropic

    try:
        yield
    except anthropic.APIStatusError as error:
        raise Refusal(error.status_code, error.response.headers, error.body) from None
    except anthropic.APIConnectionError as error:
        broken = error.__cause__ or ConnectionError("no connection")
        # With its own cause: only that tells a deadline from a refusal. The SDK's error has the request, and goes.
        raise broken from broken.__cause__
