"""Sends a folder's documents through the ingress as any client would, and follows each job's events as they happen."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from events.envelope import CloudEvent
from events.jobs import ENDINGS
from schemas.jobs import Job

if TYPE_CHECKING:
    import httpx

SUFFIXES = frozenset({".md", ".txt"})
MAX_SAMPLES = 200
AT_A_TIME = 8
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 45.0
"""Three of the stream's heartbeats."""
MAX_CONNECTIONS = 5
"""How often one job's stream is opened again before it is given up."""


class SamplesUnusable(Exception):
    """The folder has nothing to send. Name one with .md or .txt files."""


class SampleFailed(Exception):
    """A document couldn't be sent or followed. The message names it and says what the ingress answered."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """One event of one sample's job, as it arrived."""

    sample: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a sample's job ended."""

    sample: str
    job: Job

    @property
    def milliseconds(self) -> float:
        """From acceptance to the end, by the database's clock."""
        ended = self.job.finished_at or self.job.created_at
        return (ended - self.job.created_at).total_seconds() * 1_000


def read_samples(folder: Path) -> list[Sample]:
    """The folder's documents by name, 200 at the most."""
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)[:MAX_SAMPLES]
    if not files:
        raise SamplesUnusable(f"{folder} has no {' or '.join(sorted(SUFFIXES))} file")
    return [Sample(file.name, file.read_text(encoding="utf-8-sig")) for file in files]


async def send_samples(
    samples: list[Sample], api_url: str, api_key: str, on_event: Callable[[Arrived], None]
) -> list[Finished]:
    """Every sample's end, in the samples' order. SampleFailed when one can't be sent or followed to its end."""
    import httpx  # Not before all is ready: whoever types `bucatini up` waits for what it imports.

    slots = asyncio.Semaphore(AT_A_TIME)
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    headers = {"authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(base_url=api_url, headers=headers, timeout=timeout, trust_env=False) as client:

        async def send_one(sample: Sample) -> Finished:
            async with slots:
                job = await _submit(client, sample)
                await _follow(client, sample, job, on_event)
                return Finished(sample.name, await _read(client, sample, job))

        return await asyncio.gather(*map(send_one, samples))


async def _submit(client: "httpx.AsyncClient", sample: Sample) -> Job:
    command = {"title": sample.name, "text": sample.text}
    return _job(sample, await client.post("/api/ai/process-document", json=command))


async def _read(client: "httpx.AsyncClient", sample: Sample, job: Job) -> Job:
    return _job(sample, await client.get(f"/api/jobs/{job.id}"))


def _job(sample: Sample, answer: "httpx.Response") -> Job:
    if answer.is_error:
        raise SampleFailed(f"{sample.name}: the ingress answered {answer.status_code}: {answer.text[:500]}")
    return Job.model_validate_json(answer.content)


async def _follow(client: "httpx.AsyncClient", sample: Sample, job: Job, on_event: Callable[[Arrived], None]) -> None:
    """Returns when the job has ended. A stream that breaks is resumed after the last event that came."""
    import httpx

    last_event_id = ""
    for _ in range(MAX_CONNECTIONS):
        headers = {"last-event-id": last_event_id} if last_event_id else {}
        try:
            async with client.stream("GET", f"/api/jobs/{job.id}/events", headers=headers) as stream:
                if stream.is_error:
                    raise SampleFailed(f"{sample.name}: its events can't be had ({stream.status_code})")
                async for event_id, event in _events(stream):
                    last_event_id = event_id or last_event_id
                    on_event(Arrived(sample.name, event.type, event.data or {}))
                    if event.type in ENDINGS:
                        return
        except httpx.TransportError:
            continue
    raise SampleFailed(f"{sample.name}: its event stream broke {MAX_CONNECTIONS} times")


async def _events(stream: "httpx.Response") -> AsyncIterator[tuple[str, CloudEvent]]:
    """The stream's events with their ids (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    event_id, data = "", ""
    async for line in stream.aiter_lines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                event_id = value
            case "data":
                data += value
            case "" if not line and data:
                if (event := _cloud_event(data)) is not None:
                    yield event_id, event
                data = ""
            case _:
                pass


def _cloud_event(data: str) -> CloudEvent | None:
    """The event, or None for a message about the stream itself."""
    decoded = json.loads(data)
    return CloudEvent.model_validate_json(data) if isinstance(decoded, dict) and "specversion" in decoded else None
