"""A provider's batch interface over HTTP. How its documents look is its `BatchApi`'s, and how they are sent its `BatchSdk`'s."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from pydantic import SecretStr

from infrastructure.model_http import failures
from infrastructure.model_http.api import Answer, Api, ApiError, Declined, Reply
from infrastructure.model_http.call import HttpCall, calling
from infrastructure.model_http.event_stream import StreamMalformed, json_of
from infrastructure.model_registry.registry import ModelSpec
from infrastructure.ports.ai.batches import SERVED_TIER, BatchOutcome, Pending, Unanswered
from infrastructure.ports.ai.errors import BadRequest, ContentRefused, Failure, Malformed
from infrastructure.ports.ai.request import Deadlines, Lane, ModelRequest

CALLS = Deadlines(connect_seconds=5.0, first_token_seconds=30.0, idle_seconds=30.0, total_seconds=60.0)


@dataclass(frozen=True, slots=True)
class BatchState:
    ended: bool
    results: str | None
    """Where the results are, if there are any."""
    reason: str = ""
    """The provider's word for how it ended."""


@dataclass(frozen=True, slots=True)
class Line:
    """One request's result: its document, or why there is none."""

    document: Mapping[str, Any] | None
    error: object = None
    status: int | None = None
    reason: str = ""


class BatchApi(Protocol):
    def batch_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request's body as a batch has it."""
        ...

    def state_in(self, document: Mapping[str, Any]) -> BatchState: ...

    def line_of(self, written: Mapping[str, Any]) -> Line: ...


class BatchSdk(Protocol):
    """Each call is one request, as those of `Sdk`."""

    def submit_batch(
        self, body: Mapping[str, Any], custom_id: str, key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...

    def batch(
        self, batch_id: str, key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...

    def batch_results(
        self, batch_id: str, results: str, key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...

    def cancel_batch(
        self, batch_id: str, key: SecretStr | None, connect_seconds: float
    ) -> AbstractAsyncContextManager[Reply]: ...


class Caller(Protocol):
    """What the provider's other calls are made with."""

    name: str
    api: Api

    def spec_for(self, request: ModelRequest) -> ModelSpec:
        """The model's entry. BadRequest when it can't take the request."""
        ...

    async def client(self, model: str, key: SecretStr | None) -> Any:
        """Its SDK, once the key was checked."""
        ...


class HttpBatches:
    """See `ModelBatches`."""

    def __init__(self, caller: Caller, batch_api: BatchApi) -> None:
        self.name = caller.name
        self._caller = caller
        self._batch_api = batch_api

    async def submit(self, request: ModelRequest, custom_id: UUID, key: SecretStr | None = None) -> str:
        body = self._batch_api.batch_body(self._body(request))
        sdk = await self._client(request.model, key)
        async with self._calling(request.model) as call:
            sent = sdk.submit_batch(body, str(custom_id), key, CALLS.connect_seconds)
            match json_of(await call.read(await call.open(sent))).get("id"):
                case str(batch_id) if 0 < len(batch_id) <= 200:
                    return batch_id
            raise StreamMalformed("the batch has no id")

    async def outcome(self, batch_id: str, custom_id: UUID, model: str, key: SecretStr | None = None) -> BatchOutcome:
        try:
            state = await self._state(batch_id, model, key)
        except BadRequest as error:
            if error.failure.status == 404:
                return Unanswered("not_found")
            raise
        if not state.ended:
            return Pending()
        if state.results is None:
            return Unanswered(state.reason)
        sdk = await self._client(model, key)
        async with self._calling(model) as call:
            asked = sdk.batch_results(batch_id, state.results, key, CALLS.connect_seconds)
            lines = await call.read(await call.open(asked))
            for written in _lines(lines):
                if written.get("custom_id") == str(custom_id):
                    return self._answered(self._batch_api.line_of(written), call)
        return Unanswered(state.reason or "left_out")

    async def cancel(self, batch_id: str, model: str, key: SecretStr | None = None) -> None:
        sdk = await self._client(model, key)
        async with self._calling(model) as call:
            await call.read(await call.open(sdk.cancel_batch(batch_id, key, CALLS.connect_seconds)))

    async def _state(self, batch_id: str, model: str, key: SecretStr | None) -> BatchState:
        sdk = await self._client(model, key)
        async with self._calling(model) as call:
            asked = sdk.batch(batch_id, key, CALLS.connect_seconds)
            return self._batch_api.state_in(json_of(await call.read(await call.open(asked))))

    def _answered(self, line: Line, call: HttpCall) -> BatchOutcome:
        if line.document is not None:
            return self._read(line.document, call)
        if line.error is not None:
            return failures.refused(replace(call.failure, status=line.status, accepted=False), line.error)
        return Unanswered(line.reason)

    def _read(self, document: Mapping[str, Any], call: HttpCall) -> BatchOutcome:
        """What it can't be read as is how the request ended, and no failure of asking."""
        try:
            answer: Answer = self._caller.api.answer_in(document)
        except Declined as declined:
            return failures.of_kind(ContentRefused, replace(call.failure, usage=declined.usage))
        except ApiError as error:
            return failures.refused(replace(call.failure, usage=error.usage or call.failure.usage), error.body)
        except StreamMalformed as malformed:
            return failures.of_kind(Malformed, call.failure, str(malformed))
        return call.response(replace(answer, served_tier=SERVED_TIER))

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        in_real_time = replace(request, lane=Lane.REALTIME)
        spec = self._caller.spec_for(in_real_time)
        if Lane.BATCH not in spec.lanes:
            failure = Failure(self.name, request.model)
            raise failures.of_kind(BadRequest, failure, "it isn't served in batches: take another lane")
        return self._caller.api.body(in_real_time, spec)

    async def _client(self, model: str, key: SecretStr | None) -> BatchSdk:
        client: BatchSdk = await self._caller.client(model, key)
        return client

    def _calling(self, model: str) -> AbstractAsyncContextManager[HttpCall]:
        return calling(self.name, model, self._caller.api, CALLS, streamed=False)


def _lines(written: bytes) -> Iterator[Mapping[str, Any]]:
    return (json_of(line) for line in written.split(b"\n") if line.strip())
