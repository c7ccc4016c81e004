"""The real ingress on a real socket, in a thread of the test, with tenants, keys and the truth from PostgreSQL."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx
import psycopg
import redis
import uvloop
from httpx_sse import EventSource, ServerSentEvent
from psycopg.types.json import Jsonb

from api.__main__ import Server
from infrastructure.local_stack.servers.loopback import free_port
from infrastructure.postgres.tenants.api_keys import create_first_admin_key, parse_key
from infrastructure.redis.pubsub import Channel
from infrastructure.settings import Settings
from schemas.jobs import JobState
from tests.tenancy import make_key_of, make_tenant
from tests.waiting import GUARD_SECONDS, wait_until

DOCUMENT = {"title": "Lease", "text": "Acme Ltd shall pay $500 by 1 May 2027."}
PROCESS = "/api/ai/process-document"


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    key_id: str
    key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


class ServedApi:
    """Running from entering to leaving; `stop` and `start` in between are a restart on the same port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Never the settings' own, which several test processes have alike, and not one of those that go to passing
        # connections: whoever restarts there may find it taken.
        self.port = free_port()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        settings = self.settings.model_copy(update={"api_port": self.port})
        self._thread = threading.Thread(target=self._serve, args=(settings,), name="ingress", daemon=True)
        self._thread.start()
        self.port = wait_until(self._bound_port, "the ingress serves")

    def _bound_port(self) -> int:
        serving = self._server
        if serving is None or not serving.started:
            return 0
        port: int = serving.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def under_way(self) -> int:
        """How many requests are being answered."""
        return 0 if self._server is None else len(self._server.server_state.tasks)

    def text_listeners(self, subject: UUID) -> int:
        """How many streams of this ingress get a job's or a tenant's text as it comes."""
        ingress = None if self._server is None else self._server._ingress
        return 0 if ingress is None else ingress.hub._live_text._listeners[subject]

    def shrink_send_buffers(self) -> None:
        """The kernel would hold megabytes for whoever doesn't read."""
        for one in self._transports:
            one.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)

    def unread_bytes(self) -> list[int]:
        """Of each open connection, what its reader hasn't taken and the kernel doesn't hold."""
        return [one.get_write_buffer_size() for one in self._transports]

    def closing_sockets(self) -> int:
        """How many connections the ingress has ended that still have something to be read."""
        return sum(one.is_closing() for one in self._transports)

    @property
    def _transports(self) -> list[asyncio.Transport]:
        return [] if self._server is None else [one.transport for one in list(self._server.server_state.connections)]

    def _serve(self, settings: Settings) -> None:
        async def serve() -> None:
            self._server = Server(settings)
            await self._server.serve()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=GUARD_SECONDS)
        assert not self._thread.is_alive(), "the ingress stops, streams or not"
        self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class World(ServedApi):
    """The ingress, and what a test does to the database behind its back."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.database = psycopg.connect(settings.database, autocommit=True)
        self.redis = redis.Redis.from_url(settings.redis)

    def tenant(self, *scopes: str) -> Tenant:
        """A new tenant with a key; with every right if none is named."""
        return self.another_key(make_tenant(self.settings.database), *scopes)

    def operator(self) -> Tenant:
        """The operator's tenant with the first admin key. Call it before any other tenant has a key."""
        key = create_first_admin_key(self.settings.database)
        parsed = parse_key(key or "")
        assert key is not None, "a key exists already"
        assert parsed is not None
        row = self.database.execute("SELECT tenant_id FROM api_keys WHERE id = %s", (parsed.id,)).fetchone()
        assert row is not None
        return Tenant(row[0], parsed.id, key)

    def another_key(self, tenant_id: UUID, *scopes: str) -> Tenant:
        key = make_key_of(self.settings.database, tenant_id, scopes)
        return Tenant(tenant_id, key.id, key.key)

    @contextmanager
    def http(self, tenant: Tenant | None = None) -> Iterator[httpx.Client]:
        headers = {} if tenant is None else tenant.headers
        with httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False) as client:
            yield client

    def frames(self, tenant: Tenant, pattern: str = "*") -> Iterator[ServerSentEvent]:
        """All on the tenant's stream that moves its reader's place, events or not."""
        with self.http(tenant) as http, http.stream("GET", "/api/events", params={"type": pattern}) as stream:
            yield from (said for said in EventSource(stream).iter_sse() if said.id)

    def submit(self, tenant: Tenant, **fields: Any) -> UUID:
        with self.http(tenant) as http:
            answer = http.post(PROCESS, json={**DOCUMENT, **fields})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    def submit_batch(self, tenant: Tenant, *fields: dict[str, Any]) -> tuple[UUID, list[UUID]]:
        """The batch and its jobs, one for each document that differs in these fields."""
        jobs = [{"kind": "ai.process_document", "command": {**DOCUMENT, **one}} for one in fields]
        with self.http(tenant) as http:
            answer = http.post("/api/jobs/batch", json={"jobs": jobs})
        assert answer.status_code == 202, answer.text
        told = answer.json()
        return UUID(told["id"]), [UUID(one["job_id"]) for one in told["jobs"]]

    def happen(
        self,
        job_id: UUID,
        kind: str,
        *,
        state: JobState | None = None,
        result: dict[str, Any] | None = None,
        problem: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        connection: psycopg.Connection[Any] | None = None,
        tell: bool = True,
    ) -> None:
        """What a worker would do: one transition with its event in one transaction, then the word to Redis."""
        rows = (
            (connection or self.database)
            .execute(
                """
            WITH u AS (
              UPDATE jobs SET seq = seq + 1, state = coalesce(%s, state), result = coalesce(%s, result),
                problem = coalesce(%s, problem), finished_at = CASE WHEN %s THEN now() END
              WHERE id = %s RETURNING id, seq, tenant_id)
            INSERT INTO job_events (job_id, seq, tenant_id, type, data) SELECT id, seq, tenant_id, %s, %s FROM u
            RETURNING tenant_id
            """,
                (
                    state,
                    None if result is None else Jsonb(result),
                    None if problem is None else Jsonb(problem),
                    state in ("succeeded", "failed", "dead", "cancelled"),
                    job_id,
                    kind,
                    None if data is None else Jsonb(data),
                ),
            )
            .fetchall()
        )
        if tell:
            self.tell(rows[0][0])

    def now(self) -> datetime:
        return datetime.now(UTC)

    def tell(self, tenant_id: UUID) -> None:
        self.redis.publish(Channel.TENANTS, tenant_id.bytes)

    def succeed(self, job_id: UUID, result: dict[str, Any]) -> None:
        self.happen(job_id, "job.succeeded", state=JobState.SUCCEEDED, result=result)

    @contextmanager
    def heard(self, channel: Channel) -> Iterator[Callable[[], bytes | None]]:
        """Gives the next thing said on the channel since the block began, if there is one yet."""
        pubsub = self.redis.pubsub()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        with pubsub:
            pubsub.subscribe(channel)
            wait_until(lambda: pubsub.get_message(timeout=1), "the subscription stands")

            def said() -> bytes | None:
                message = pubsub.get_message(timeout=1)
                return None if message is None else message["data"]

            yield said

    def stored(self) -> dict[str, int]:
        """How many rows each table has that a request could add to."""
        tables = (
            "jobs",
            "job_events",
            "job_keys",
            "api_keys",
            "tenant_keys",
            "documents",
            "workflow_instances",
            "holds",
        )
        counts = {}
        for table in tables:
            row = self.database.execute(f"SELECT count(*) FROM {table}").fetchone()
            counts[table] = 0 if row is None else row[0]
        return counts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.database.close()
        self.redis.close()
