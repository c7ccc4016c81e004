"""One call of a model over HTTP: deadlines, classes of errors, events in order. What an interface looks like is its
`Api`'s, and how a request is sent its `Sdk`'s."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from pydantic import SecretStr

from infrastructure.model_http import failures
from infrastructure.model_http.api import Api, Sdk
from infrastructure.model_http.batches import BatchApi, HttpBatches
from infrastructure.model_http.call import HttpCall, calling
from infrastructure.model_http.event_stream import StreamMalformed, json_of
from infrastructure.model_http.keys import is_usable_key
from infrastructure.model_registry.registry import ModelRegistry, ModelSpec, UnknownModel
from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    BadRequest,
    Failure,
    ModelError,
)
from infrastructure.ports.ai.request import (
    MAX_BREAKPOINTS,
    Deadlines,
    Lane,
    ModelRequest,
    estimated_input_tokens,
)
from infrastructure.ports.ai.response import (
    Finished,
    Health,
    ModelEvent,
    ModelResponse,
    Started,
)

MAX_MODELS = 1_000
ANY_MODEL = "any"
"""What errors of calls say that concern no model in particular."""
UNKNOWN_MODEL_CODES = frozenset({"model_not_found", "not_found_error"})
FREE_CALLS = Deadlines(connect_seconds=5.0, first_token_seconds=10.0, idle_seconds=10.0, total_seconds=15.0)
"""Counting, listing and health: a provider that is slow at these isn't well."""


class HttpModelProvider:
    """See `ModelProvider`. `sdk` makes the client, which is done at the first call: it takes seconds to import. With
    `needs_key`, nothing is sent for a caller who brings none."""

    def __init__(
        self,
        name: str,
        api: Api,
        sdk: Callable[[], Awaitable[Sdk]],
        registry: ModelRegistry,
        *,
        needs_key: bool,
        batch_api: BatchApi | None = None,
    ) -> None:
        self.name = name
        self.batches = None if batch_api is None else HttpBatches(self, batch_api)
        self._needs_key = needs_key
        self.api = api
        self._make_sdk = sdk
        self.registry = registry
        self._sdk: Sdk | None = None
        self._making = asyncio.Lock()

    async def complete(self, request: ModelRequest, key: SecretStr | None = None) -> ModelResponse:
        if request.max_output_tokens > self.api.max_unstreamed_tokens:
            return await self._collected(request, key)
        body = self.api.body(request, self.spec_for(request))
        sdk = await self.client(request.model, key)
        async with self._calling(request.model, request.deadlines, streamed=False) as call:
            reply = await call.open(sdk.create(body, key, request.deadlines.connect_seconds))
            answer = self.api.answer_in(json_of(await call.read(reply)))
            return call.response(answer)

    async def stream(self, request: ModelRequest, key: SecretStr | None = None) -> AsyncGenerator[ModelEvent, None]:
        body = {**self.api.body(request, self.spec_for(request)), **self.api.stream_options()}
        sdk = await self.client(request.model, key)
        async with self._calling(request.model, request.deadlines, streamed=True) as call:
            reply = await call.open(sdk.create(body, key, request.deadlines.connect_seconds))
            yield Started(call.failure.request_id, call.failure.rate_limits)
            async with aclosing(call.events(reply, self.api.reader())) as events:
                async for event in events:
                    yield event

    async def count_tokens(self, request: ModelRequest, key: SecretStr | None = None) -> int:
        body = self.api.count_body(request, self.spec_for(request))
        if body is None:
            return estimated_input_tokens(request)
        try:
            return await self._counted(request.model, body, key)
        except BadRequest as error:
            # A compatible server may answer without being able to count.
            if error.failure.status == 404 and error.failure.code not in UNKNOWN_MODEL_CODES:
                return estimated_input_tokens(request)
            raise

    async def _counted(self, model: str, body: Mapping[str, Any], key: SecretStr | None) -> int:
        sdk = await self.client(model, key)
        async with self._calling(model, FREE_CALLS, streamed=False) as call:
            counted = json_of(await call.read(await call.open(sdk.count(body, key, FREE_CALLS.connect_seconds))))
            match counted.get("input_tokens"):
                case int(tokens) if tokens >= 0:
                    return tokens
            raise StreamMalformed("the count is no number")

    async def list_models(self, key: SecretStr | None = None) -> tuple[str, ...]:
        sdk = await self.client(ANY_MODEL, key)
        async with self._calling(ANY_MODEL, FREE_CALLS, streamed=False) as call:
            listed = json_of(await call.read(await call.open(sdk.models(key, FREE_CALLS.connect_seconds))))
            data = listed.get("data")
            if not isinstance(data, list):
                raise StreamMalformed("the list of models is none")
            named = (one.get("id") for one in data[:MAX_MODELS] if isinstance(one, Mapping))
            return tuple(name for name in named if isinstance(name, str))

    async def health(self, key: SecretStr | None = None) -> Health:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        try:
            await self.client(ANY_MODEL, key)
            began_at = loop.time()  # Importing the SDK says nothing of the provider.
            await self.list_models(key)
        except ModelError as error:
            return Health(loop.time() - began_at, error)
        return Health(loop.time() - began_at)

    async def close(self) -> None:
        sdk, self._sdk = self._sdk, None
        if sdk is not None:
            await sdk.close()

    async def _collected(self, request: ModelRequest, key: SecretStr | None) -> ModelResponse:
        async with aclosing(self.stream(request, key)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.response
        raise AssertionError("a stream without Finished raises")

    async def client(self, model: str, key: SecretStr | None) -> Sdk:
        """The SDK's client, which is made at the first call. AuthenticationRefused when the key can't be used."""
        self._check_key(model, key)
        if self._sdk is None:
            async with self._making:
                if self._sdk is None:
                    self._sdk = await self._make_sdk()
        return self._sdk

    def _check_key(self, model: str, key: SecretStr | None) -> None:
        """Before anything is sent: the SDKs would put the process's key in an empty one's place, and quote an odd one."""
        failure = Failure(self.name, model)
        if key is None and self._needs_key:
            what = f"there is no key: set {self.name.upper()}_API_KEY, or give the tenant one"
            raise failures.of_kind(AuthenticationRefused, failure, what)
        if key is not None and not is_usable_key(key):
            raise failures.of_kind(
                AuthenticationRefused, failure, "the key is empty, or has characters that no key has"
            )

    def spec_for(self, request: ModelRequest) -> ModelSpec:
        """The model's entry in the registry. BadRequest, before anything is sent, when it can't take the request."""
        failure = Failure(self.name, request.model)
        try:
            spec = self.registry.model(request.model)
        except UnknownModel as unknown:
            raise failures.of_kind(BadRequest, failure, str(unknown)) from None
        if spec.provider != self.name:
            raise failures.of_kind(BadRequest, failure, f"the registry says that {spec.provider} serves it")
        if request.lane is Lane.BATCH or request.lane not in spec.lanes:
            lanes = ", ".join(sorted(spec.lanes - {Lane.BATCH}))
            raise failures.of_kind(BadRequest, failure, f"it isn't served in the lane {request.lane}: take {lanes}")
        if not 0 < request.max_output_tokens <= spec.max_output_tokens:
            limit = f"max_output_tokens must be from 1 to {spec.max_output_tokens}"
            raise failures.of_kind(BadRequest, failure, limit)
        if request.breakpoints > MAX_BREAKPOINTS:
            raise failures.of_kind(BadRequest, failure, f"at most {MAX_BREAKPOINTS} passages may end in a breakpoint")
        return spec

    def _calling(self, model: str, deadlines: Deadlines, *, streamed: bool) -> AbstractAsyncContextManager[HttpCall]:
        return calling(self.name, model, self.api, deadlines, streamed=streamed)
