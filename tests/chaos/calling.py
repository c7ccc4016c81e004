"""Clients that go on over HTTP while the ingress is killed: each repeats a request, by its key, until it has an answer."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import UUID

import httpx

DOCUMENT = {"title": "Lease", "text": "The rent is EUR 1,250.00."}
PROCESS = "ai.process_document"
JOBS_IN_A_BATCH = 5
THREADS = 4
AGAIN_SECONDS = 0.2
ANSWER_SECONDS = 10.0
PATIENCE_SECONDS = 60.0


class Calling:
    """Calls from threads of its own, evenly over the time it is given, and makes a schedule first."""

    def __init__(self, url: str, key: str, *, seed: int, calls: int, seconds: float) -> None:
        self.accepted: set[UUID] = set()
        """Jobs that an answer named, a batch's own ones too."""
        self.batches: set[UUID] = set()
        self.outcomes: Counter[str] = Counter()
        """What came back to each try."""
        self._url, self._key = url, key
        self._dice = Random(seed)
        self._calls, self._seconds = calls, seconds
        self._threads = ThreadPoolExecutor(THREADS + 1, "calling")
        self._done = self._threads.submit(self._call_all)

    def join(self) -> None:
        """Returns when every call has its answer; raises what ended one early."""
        self._done.result()
        self._threads.shutdown()

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{len(self.accepted):,} of them over HTTP, {len(self.batches):,} batches; answers: {outcomes}"

    def _call_all(self) -> None:
        cron = {"name": "each minute", "cron": "* * * * *", "kind": PROCESS, "command": DOCUMENT, "overlap": "queue"}
        self._ask("/api/schedules", cron, "schedule")
        begun = [self._threads.submit(self._call, number) for number in range(self._calls)]
        for call in begun:
            call.result()

    def _call(self, number: int) -> None:
        time.sleep(self._dice.uniform(0, 2 * THREADS * self._seconds / self._calls))
        if number % 10:
            self.accepted.add(UUID(self._ask("/api/ai/process-document", DOCUMENT, f"one {number}")["id"]))
            return
        jobs = [{"kind": PROCESS, "command": DOCUMENT}] * JOBS_IN_A_BATCH
        told = self._ask("/api/jobs/batch", {"jobs": jobs}, f"batch {number}")
        self.batches.add(UUID(told["id"]))
        self.accepted |= {UUID(one["job_id"]) for one in told["jobs"]}

    def _ask(self, path: str, body: object, key: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": key}
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                answer = httpx.post(
                    self._url + path, json=body, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
                )
            except httpx.TransportError as error:
                self.outcomes[type(error).__name__] += 1
            else:
                self.outcomes[str(answer.status_code)] += 1
                if answer.is_success or (answer.status_code == 409 and key == "schedule"):
                    told: dict[str, Any] = answer.json()
                    return told
                assert answer.status_code in (429, 503), answer.text
            time.sleep(AGAIN_SECONDS)
        raise AssertionError(f"{path} wasn't answered within {PATIENCE_SECONDS:.0f} s")
