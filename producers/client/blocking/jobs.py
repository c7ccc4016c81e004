# Generated from asynchronous/jobs.py by `python -m producers.packaging`: edit that one.
"""Jobs: submit them, wait for what they bring, see, follow, cancel and replay them.

The kinds of jobs are loaded by those who submit one or read its result: they are half of what the client would load.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast
from uuid import UUID

from events.envelope import CloudEvent
from producers.client.blocking.ports import Caller
from producers.client.errors import JobFailed, ProblemAnswer, ResultTimeout, Unreachable
from producers.client.requests import Id, get, keyed_post, path, post
from producers.client.sse import Following
from producers.client.waiting import Waiting
from schemas.commands import Command
from schemas.explanations import Explanation
from schemas.failures import ReplayJob
from schemas.jobs import Job, JobCommand, JobPage, JobState, JobToken, ReadTokenRequest, Timeline

if TYPE_CHECKING:
    from producers.client.commands import JobOptions, Result

R = TypeVar("R")

PAGE: Final = 100


class Jobs:
    """Your jobs. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def submit_any(self, command: Command, options: JobOptions) -> JobHandle[Any]:
        """The job, once it is kept. See `submit`."""
        from producers.client.commands import submission

        return JobHandle(self, self._client.ask(Job, submission(command, options)))

    def get(self, job_id: Id) -> JobHandle[Result]:
        """A job of yours by its id."""
        return JobHandle(self, self.read(job_id))

    def read(self, job_id: Id, *, wait_seconds: int = 0) -> Job:
        """The job as it stands, or once it has ended if that is within the time (60 s at most)."""
        return self._client.ask(Job, get(path("jobs", job_id), wait_seconds=wait_seconds))

    def wait(self, job_id: Id, timeout_seconds: float | None = None) -> Job:
        """The job once it has ended, in whatever way. ResultTimeout; None waits for ever. An ingress that goes away
        meanwhile is waited for."""
        waiting = Waiting(timeout_seconds)
        while True:
            try:
                job = waiting.heard(self.read(job_id, wait_seconds=waiting.poll_seconds))
            except (Unreachable, ProblemAnswer) as error:
                time.sleep(waiting.pause_after(error))
                continue
            if job.finished:
                return job
            if waiting.over:
                raise ResultTimeout(f"job {job.id} is still {job.state} after {timeout_seconds:g} s", job_id=job.id)

    def result(self, job_id: Id) -> dict[str, Any]:
        """What the job brought, of any size. ProblemAnswer while there is nothing, and once it was deleted."""
        reply = self._client.send(get(path("jobs", job_id, "result")))
        return cast("dict[str, Any]", json.loads(reply.body))

    def list(
        self,
        *,
        state: JobState | None = None,
        kind: str | None = None,
        queue: str | None = None,
        batch_id: Id | None = None,
        id_prefix: str | None = None,
        results: bool = False,
        limit: int = PAGE,
    ) -> Iterator[Job]:
        """All your jobs that match, the newest first, fetched `limit` at a time while you go on. `id_prefix` is the first
        hexadecimal digits of an id, without hyphens. With `results` each comes with its result of up to 4 KB."""
        chosen = {"state": state, "kind": kind, "queue": queue, "batch_id": batch_id, "id_prefix": id_prefix}
        filters = {**chosen, "include": "result" if results else None, "limit": limit}
        cursor: str | None = None
        while True:
            page = self._client.ask(JobPage, get(path("jobs"), {**filters, "cursor": cursor}))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def events(self, job_id: Id, *, last_event_id: str = "") -> Iterator[CloudEvent]:
        """Everything that happened to it and happens from now on, each once, until it has ended."""
        yield from self._client.follow(Following.one("jobs", job_id, last_event_id))

    def text(self, job_id: Id, *, live: bool = True) -> Iterator[str]:
        """The text that it writes, as it writes it: in order, complete, and nothing twice, until it has ended. JobFailed when it
        ends without a result.

            for piece in job.text():
                print(piece, end="", flush=True)

        Two sections have an empty line between them. A section whose model fails on the way is written anew: then a `Reset`
        comes among the pieces, a text that says so. Without `live` a section is one piece, once it is complete, and nothing is
        ever reset. Who begins late gets what was written of the running section once it is complete.
        """
        from producers.client.written_text import WrittenText

        written = WrittenText(live=live)
        for event in self.events(job_id):
            for piece in written.take(event):
                yield piece
        for piece in written.rest():
            yield piece
        job = self.read(job_id)
        if job.state is not JobState.SUCCEEDED:
            raise JobFailed(job)

    def timeline(self, job_id: Id) -> Timeline:
        """What has happened to it so far, in order."""
        return self._client.ask(Timeline, get(path("jobs", job_id, "timeline")))

    def command(self, job_id: Id) -> JobCommand:
        """What it was given to do. Needs the scope `jobs:read_content`."""
        return self._client.ask(JobCommand, get(path("jobs", job_id, "command")))

    def why(self, job_id: Id) -> Explanation:
        """What keeps it from running, or how far it is."""
        return self._client.ask(Explanation, get(path("jobs", job_id, "why")))

    def token(self, job_id: Id, *, ttl_seconds: int = 600) -> JobToken:
        """A token with which a browser may read and follow this job, and nothing else, for so long (an hour at most)."""
        return self._client.ask(
            JobToken, post(path("jobs", job_id, "token"), ReadTokenRequest(ttl_seconds=ttl_seconds))
        )

    def cancel(self, job_id: Id) -> Job:
        """Ends it. ProblemAnswer when it has ended in another way already."""
        return self._client.ask(Job, post(path("jobs", job_id, "cancel")))

    def replay(self, job_id: Id, command: Command | None = None) -> Job:
        """Queues it again, its attempts unspent, with this command instead of its own if one is given. ProblemAnswer
        when it hasn't failed, died or been cancelled."""
        fields = None if command is None else command.model_dump(mode="json", exclude_unset=True)
        return self._client.ask(Job, keyed_post(path("jobs", job_id, "replay"), ReplayJob(command=fields)))


class JobHandle(Generic[R]):
    """A job of yours. `job` is how it stood when it was last asked about."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs = jobs
        self.job = job

    @property
    def id(self) -> UUID:
        return self.job.id

    @property
    def state(self) -> JobState:
        return self.job.state

    def refresh(self) -> Job:
        """The job as it stands now."""
        self.job = self._jobs.read(self.id)
        return self.job

    def result(self, timeout_seconds: float | None = None) -> R:
        """What the job brought, as soon as it has ended, of any size. JobFailed, or ResultTimeout; None waits for
        ever."""
        from producers.client.commands import result_of

        self.job = self._jobs.wait(self.id, timeout_seconds)
        if self.job.result_url is not None:
            self.job = self.job.model_copy(update={"result": self._jobs.result(self.id)})
        return cast(R, result_of(self.job))

    def events(self) -> Iterator[CloudEvent]:
        """Everything that happened to it and happens from now on, each once, until it has ended."""
        return self._jobs.events(self.id)

    def text(self, *, live: bool = True) -> Iterator[str]:
        """The text that it writes, as it writes it. See `Jobs.text`."""
        return self._jobs.text(self.id, live=live)

    def timeline(self) -> Timeline:
        """What has happened to it so far, in order."""
        return self._jobs.timeline(self.id)

    def why(self) -> Explanation:
        """What keeps it from running, or how far it is."""
        return self._jobs.why(self.id)

    def token(self, *, ttl_seconds: int = 600) -> JobToken:
        """See `Jobs.token`."""
        return self._jobs.token(self.id, ttl_seconds=ttl_seconds)

    def cancel(self) -> Job:
        """See `Jobs.cancel`."""
        self.job = self._jobs.cancel(self.id)
        return self.job

    def replay(self, command: Command | None = None) -> Job:
        """See `Jobs.replay`."""
        self.job = self._jobs.replay(self.id, command)
        return self.job
