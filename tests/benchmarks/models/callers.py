"""`python -m tests.benchmarks.models.callers VERB …`: submits jobs that ask a model, as a user does, and reads along.

`jobs` waits for results. `live` and `raw` say how long after the model's first token a reader had it: of a job over SSE, and
of a stream with one bare hop in between.
"""

import argparse
import json
import time
from dataclasses import asdict
from uuid import uuid4

import httpx
import uvloop

from producers.client import AsyncBucatini
from tests.benchmarks.models.driver import MODEL, TEXT, Timed, spread, timed
from tests.benchmarks.models.jobs import Ask

SERIES = uuid4().hex


async def jobs(url: str, key: str, calls: int, in_flight: int) -> Timed:
    async with AsyncBucatini(url, key) as client:

        async def one(number: int) -> None:
            await (await client.submit(Ask(text=f"{SERIES} {number} {TEXT}"))).result(120)

        return await timed(one, calls, in_flight)


async def live(url: str, key: str, simulator: str, calls: int) -> Timed:
    late: list[float] = []
    async with AsyncBucatini(url, key) as client, httpx.AsyncClient(base_url=simulator, trust_env=False) as control:
        for number in range(calls):
            handle = await client.submit(Ask(text=f"{SERIES} {number} {TEXT}", live=True))
            async for event in handle.events():
                if event.type == "ai.delta":
                    seen_at = time.monotonic()
                    late.append(seen_at - await _first_token_at(control))
                    break
            await handle.result(60)
    return spread(late)


async def raw(hop: str, simulator: str, calls: int) -> Timed:
    late: list[float] = []
    headers = {"authorization": "Bearer sk-bench"}
    async with httpx.AsyncClient(trust_env=False) as client, httpx.AsyncClient(base_url=simulator) as control:
        for number in range(calls):
            messages = [{"role": "user", "content": f"{SERIES} {number} {TEXT}"}]
            body = {"model": MODEL, "messages": messages, "stream": True, "max_completion_tokens": 200}
            address = f"{hop}/chat/completions"
            async with client.stream("POST", address, json=body, headers=headers, timeout=60) as response:
                # Read to its end, so that its connection is there for the next.
                async for line in response.aiter_lines():
                    if len(late) == number and _has_text(line):
                        seen_at = time.monotonic()
                        late.append(seen_at - await _first_token_at(control))
    return spread(late)


def _has_text(line: str) -> bool:
    if not line.startswith("data: {"):
        return False
    choices = json.loads(line.removeprefix("data: "))["choices"]
    return any(one["delta"].get("content") for one in choices)


async def _first_token_at(control: httpx.AsyncClient) -> float:
    """Of the simulator's newest call, by the clock that all processes of the machine have."""
    journal = (await control.get("/control/journal")).raise_for_status().json()
    return float(journal[-1]["first_token_at"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.models.callers", description=__doc__)
    parser.add_argument("verb", choices=["jobs", "live", "raw"])
    parser.add_argument("url")
    parser.add_argument("calls", type=int)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--key", default="")
    parser.add_argument("--simulator", default="")
    given = parser.parse_args()
    match given.verb:
        case "jobs":
            taken = uvloop.run(jobs(given.url, given.key, given.calls, given.in_flight))
        case "live":
            taken = uvloop.run(live(given.url, given.key, given.simulator, given.calls))
        case _:
            taken = uvloop.run(raw(given.url, given.simulator, given.calls))
    print(json.dumps(asdict(taken)), flush=True)


if __name__ == "__main__":
    main()
