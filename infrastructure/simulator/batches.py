"""The batch interfaces of the simulated providers: what is submitted is answered once `batch_seconds` of the pace have passed."""

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.simulator.asked import Asked, BadBody
from infrastructure.simulator.faults import FaultKind
from infrastructure.simulator.journal import Attempt, Ending, fingerprint
from infrastructure.simulator.serving import MAX_BODY_BYTES, Answering, Simulator, json_body, key_of
from infrastructure.simulator.wire.format import WireFormat

MAX_KEPT = 1_000
MAX_REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class BatchedRequest:
    custom_id: str
    asked: Asked
    attempt: Attempt


@dataclass(slots=True)
class Batch:
    id: str
    key: str
    requests: Sequence[BatchedRequest]
    submitted_at: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    lines: list[dict[str, Any]] | None = None
    """Its results, once it has ended."""


class Batches(ABC):
    """Of one provider. A batch of another key doesn't exist."""

    def __init__(self, simulator: Simulator, wire: WireFormat) -> None:
        self._simulator = simulator
        self._wire = wire
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._batches: OrderedDict[str, Batch] = OrderedDict()
        self._made = 0

    def _submit(self, request: Request, key: str, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> Batch:
        if not wanted or len(wanted) > MAX_REQUESTS:
            raise BadBody(f"requests: from 1 to {MAX_REQUESTS}")
        asked = [(custom_id, self._wire.asked(body)) for custom_id, body in wanted]
        self._made += 1
        batch = Batch(
            f"batch_sim_{self._made:06}",
            key,
            [
                BatchedRequest(
                    custom_id,
                    replace(one, tier="batch", stream=False),
                    self._simulator.journal.begin(
                        provider=self._wire.provider.value,
                        model=one.model,
                        key=fingerprint(key),
                        path=request.url.path,
                        stream=False,
                        tier="batch",
                        retry=request.headers.get("x-stainless-retry-count", ""),
                    ),
                )
                for custom_id, one in asked
            ],
        )
        _keep(self._batches, batch.id, batch)
        return batch

    async def _found(self, request: Request) -> Batch:
        batch = self._batches.get(request.path_params["id"])
        if batch is None or batch.key != key_of(request):
            raise BadBody("there is no such batch", status=404, code="not_found_error")
        age = time.monotonic() - batch.submitted_at
        if batch.lines is None and (batch.cancelled or age >= self._simulator.pace.batch_seconds):
            batch.lines = [await self._line(request, batch, one) for one in batch.requests]
        return batch

    async def _cancelled(self, request: Request, *, status: int) -> Batch:
        """One that has ended can't be cancelled any more; again, it may be."""
        batch = await self._found(request)
        if batch.lines is not None and not batch.cancelled:
            raise BadBody("the batch has ended", status=status)
        batch.cancelled = True
        return batch

    async def _line(self, request: Request, batch: Batch, one: BatchedRequest) -> dict[str, Any]:
        fault = None if batch.cancelled else self._simulator.faults.next_for(one.asked, one.attempt.key)
        if batch.cancelled or (fault is not None and fault.kind is FaultKind.BATCH_EXPIRED):
            self._simulator.journal.end(one.attempt, Ending.REFUSED)
            return self._unanswered(one, cancelled=batch.cancelled)
        one.attempt.fault = fault.kind.value if fault else None
        answered = await Answering(self._simulator, self._wire, one.asked, one.attempt, fault).response(request)
        return self._written(one, answered.status_code, orjson.loads(bytes(answered.body)))

    @abstractmethod
    def _unanswered(self, one: BatchedRequest, *, cancelled: bool) -> dict[str, Any]:
        """The line of a request that there was no time for, or that was cancelled."""

    @abstractmethod
    def _written(self, one: BatchedRequest, status: int, document: Mapping[str, Any]) -> dict[str, Any]:
        """The line of one that was answered, or refused."""

    def _refusal(self, bad: BadBody) -> Response:
        return JSONResponse(self._wire.error(FaultKind.BAD_REQUEST, str(bad), "req_sim", bad.code), bad.status)


class OpenAiBatches(Batches):
    """Files in, files out."""

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files/{id}/content", self.content, methods=["GET"]),
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches/{id}", self.state, methods=["GET"]),
            Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def upload(self, request: Request) -> Response:
        async with request.form(max_files=1, max_part_size=MAX_BODY_BYTES) as form:
            given = form.get("file")
            content = b"" if given is None or isinstance(given, str) else await given.read()
        self._made += 1
        name = f"file-sim-{self._made:06}"
        _keep(self._files, name, content)
        return JSONResponse({"id": name, "object": "file", "bytes": len(content), "purpose": "batch"})

    async def create(self, request: Request) -> Response:
        try:
            body = await json_body(request)
            lines = self._files.get(str(body.get("input_file_id")), b"").splitlines()
            parsed = [orjson.loads(line) for line in lines]
            wanted = [(str(one["custom_id"]), one["body"]) for one in parsed]
            batch = self._submit(request, key_of(request) or "", wanted)
        except BadBody as bad:
            return self._refusal(bad)
        return JSONResponse(self._described(batch))

    async def state(self, request: Request) -> Response:
        try:
            return JSONResponse(self._described(await self._found(request)))
        except BadBody as bad:
            return self._refusal(bad)

    async def content(self, request: Request) -> Response:
        content = self._files.get(request.path_params["id"])
        if content is None:
            return self._refusal(BadBody("there is no such file", status=404))
        return Response(content, media_type="application/jsonl")

    async def cancel(self, request: Request) -> Response:
        try:
            return JSONResponse(self._described(await self._cancelled(request, status=409)))
        except BadBody as bad:
            return self._refusal(bad)

    def _described(self, batch: Batch) -> dict[str, Any]:
        state = {"id": batch.id, "object": "batch", "endpoint": "/v1/responses", "completion_window": "24h"}
        if batch.lines is None:
            return {**state, "status": "cancelling" if batch.cancelled else "in_progress"}
        name = f"file-of-{batch.id}"
        _keep(self._files, name, b"\n".join(orjson.dumps(line) for line in batch.lines))
        failed = all((line.get("response") or {}).get("status_code") != 200 for line in batch.lines)
        file = {"error_file_id" if failed else "output_file_id": name}
        return {**state, "status": "cancelled" if batch.cancelled else "completed", **file}

    def _written(self, one: BatchedRequest, status: int, document: Mapping[str, Any]) -> dict[str, Any]:
        response = {"status_code": status, "request_id": one.attempt.request_id, "body": document}
        return {"id": "line", "custom_id": one.custom_id, "response": response, "error": None}

    def _unanswered(self, one: BatchedRequest, *, cancelled: bool) -> dict[str, Any]:
        code = "batch_cancelled" if cancelled else "batch_expired"
        return {"id": "line", "custom_id": one.custom_id, "response": None, "error": {"code": code, "message": ""}}


class MessageBatches(Batches):
    """Anthropic's."""

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/v1/messages/batches", self.create, methods=["POST"]),
            Route("/v1/messages/batches/{id}", self.state, methods=["GET"]),
            Route("/v1/messages/batches/{id}/results", self.results, methods=["GET"]),
            Route("/v1/messages/batches/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        try:
            requests = (await json_body(request)).get("requests")
            given = requests if isinstance(requests, list) else []
            wanted = [(str(one["custom_id"]), one["params"]) for one in given]
            batch = self._submit(request, key_of(request) or "", wanted)
        except BadBody as bad:
            return self._refusal(bad)
        return JSONResponse(_message_batch(request, batch))

    async def state(self, request: Request) -> Response:
        try:
            return JSONResponse(_message_batch(request, await self._found(request)))
        except BadBody as bad:
            return self._refusal(bad)

    async def results(self, request: Request) -> Response:
        try:
            batch = await self._found(request)
        except BadBody as bad:
            return self._refusal(bad)
        written = b"\n".join(orjson.dumps(line) for line in batch.lines or ())
        return Response(written, media_type="application/x-jsonl")

    async def cancel(self, request: Request) -> Response:
        try:
            return JSONResponse(_message_batch(request, await self._cancelled(request, status=400)))
        except BadBody as bad:
            return self._refusal(bad)

    def _written(self, one: BatchedRequest, status: int, document: Mapping[str, Any]) -> dict[str, Any]:
        result = {"type": "succeeded", "message": document} if status == 200 else {"type": "errored", "error": document}
        return {"custom_id": one.custom_id, "result": result}

    def _unanswered(self, one: BatchedRequest, *, cancelled: bool) -> dict[str, Any]:
        return {"custom_id": one.custom_id, "result": {"type": "canceled" if cancelled else "expired"}}


def _message_batch(request: Request, batch: Batch) -> dict[str, Any]:
    ended = batch.lines is not None
    status = "ended" if ended else "canceling" if batch.cancelled else "in_progress"
    address = f"{request.base_url}v1/messages/batches/{batch.id}/results"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": "2026-10-21T00:00:00Z",
        "expires_at": "2026-10-22T00:00:00Z",
        "results_url": address if ended else None,
    }


def _keep(kept: OrderedDict[str, Any], name: str, value: Any) -> None:
    kept[name] = value
    if len(kept) > MAX_KEPT:
        kept.popitem(last=False)
