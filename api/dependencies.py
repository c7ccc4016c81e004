"""The resources that request handlers share: opened once per process, closed on shutdown."""

from asyncio import Semaphore
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from api.auth.authentication import Credentials
from api.auth.read_tokens import ReadTokens
from api.auth.tenants import TenantRecords
from api.http.cursors import Cursors, signing_key
from api.queued_jobs import QueuedJobs
from api.rate_limits import RateLimits
from api.readiness import health_of
from api.searching import Searching, open_searching
from api.shutdown import Closing
from api.streams.catching_up.backlog import Backlog
from api.streams.hub import Hub
from api.streams.open_streams import OpenStreams
from api.uploads.places import UploadPlaces
from infrastructure.concurrency.fair_slots import FairPlaces
from infrastructure.concurrency.loops import Loop
from infrastructure.concurrency.supervisor import Supervisor
from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports.keys import KeyVault, Sealer
from infrastructure.ports.objects import ObjectStore
from infrastructure.ports.search import SearchIndex
from infrastructure.postgres.clock import SharedClock
from infrastructure.postgres.documents.contents import Contents
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.tenants import usage
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.postgres.tenants.sessions import TenantSessions
from infrastructure.redis import client as redis_client
from infrastructure.redis.client import Redis
from infrastructure.redis.tenant_notifier import TenantNotifier
from infrastructure.settings import Settings
from infrastructure.wiring import (
    issuer,
    key_vault,
    keyring,
    object_store,
    sealed_objects,
    search_engine,
    search_server_probes,
)
from monitoring.health.checks import WATCH_SECONDS, Health
from monitoring.health.loops import faults_of
from producers.submission.submitter import Submitter, open_submitter
from schemas.tenants import Limits, effective

REQUEST_SESSIONS = 8
REPORTS_AT_ONCE = 2
CATCH_UP_SESSIONS = 4
"""A pool of their own, so that a thousand streams catching up don't slow down requests."""
CATCH_UP_SESSION = {"enable_bitmapscan": "off"}
"""To find a job's few events PostgreSQL might bitmap-scan all of its tenant's: it doesn't know the row counts yet."""


async def _waiting_jobs(session: PostgresSession, tenant_id: UUID, most: int) -> int:
    return await session.run(lambda connection: usage.waiting_jobs(connection, tenant_id, most))


def default_limits(settings: Settings) -> Limits:
    """The limits of a tenant for which no operator set any."""
    return effective(Limits(requests_per_minute=settings.tenant_requests_per_minute))


@dataclass(frozen=True, slots=True)
class Dependencies:
    settings: Settings
    submitter: Submitter
    pool: TenantPool
    sessions: TenantSessions
    """SQLAlchemy sessions on the connections of `pool`."""
    backlog: Backlog
    system_session: PostgresSession
    """For counts over a whole queue, which row-level security hides from a tenant's session."""
    clock: SharedClock
    credentials: Credentials
    tenants: TenantRecords
    tokens: ReadTokens
    rates: RateLimits
    queued: QueuedJobs
    streams: OpenStreams
    reports: FairPlaces
    """Places of what adds up many rows, so that one tenant's reports don't take every connection."""
    uploads: UploadPlaces
    templates: Semaphore
    """Held while a prompt's templates are read or filled, in a thread: one at a time leaves the event loop its half."""
    operator: PostgresSession
    """For the operator's work on tenants."""
    hub: Hub
    redis: Redis
    tenant_notifier: TenantNotifier
    cursors: Cursors
    search: SearchIndex
    searching: Searching
    vault: KeyVault
    objects: ObjectStore
    originals: SealedObjects
    contents: Contents
    sealer: Sealer
    health: Health
    faults: Callable[[], Sequence[str]]
    """Why this process should be restarted; nothing while its loops go on."""


@asynccontextmanager
async def open_dependencies(settings: Settings, supervisor: Supervisor) -> AsyncIterator[Dependencies]:
    """Opens everything, starts its loops, and closes it again. Connections are made on first use, so the API starts while a
    server is down."""
    async with Closing() as resources:
        redis = redis_client.connect(settings.redis)
        resources.then(redis.aclose, "Redis")
        tenant_notifier = TenantNotifier(redis)
        resources.then(tenant_notifier.close, "the tenant notifier")
        system_session = await resources.enter(
            PostgresSession(settings.database, Role.SYSTEM, "queue numbers", BUS_SESSION)
        )
        clock = SharedClock(system_session)
        await clock.start()
        rates = RateLimits(settings, redis, lambda: clock.now().timestamp())
        tokens = ReadTokens(signing_key(settings))
        oidc_issuer = await resources.enter(issuer(settings, clock.now))
        credentials = Credentials(settings, tokens, oidc_issuer, clock.now)
        resources.then(credentials.close, "the credentials")
        tenants_session = await resources.enter(PostgresSession(settings.database, Role.SYSTEM, "tenants", BUS_SESSION))
        tenants = TenantRecords(tenants_session, default_limits(settings))
        resources.then(tenants.close, "the tenants' records")
        counting = await resources.enter(PostgresSession(settings.database, Role.SYSTEM, "queued jobs", BUS_SESSION))
        catch_up_pool = await resources.enter(
            TenantPool(settings.database, "catch-up", CATCH_UP_SESSIONS, session=CATCH_UP_SESSION)
        )
        submitter = await resources.enter(open_submitter(settings))
        postgres = await resources.enter(PostgresProbe(settings.database))
        pool = await resources.enter(TenantPool(settings.database, "requests", REQUEST_SESSIONS))
        originals, sealer = sealed_objects(settings), await resources.enter(keyring(settings))
        cursors, engine = Cursors(signing_key(settings)), await resources.enter(search_engine(settings))
        hub = await resources.enter(Hub(settings.database, redis, sealer))
        search_probes = await resources.enter(search_server_probes(settings))
        health = health_of(settings, postgres, submitter, redis, search_probes)
        resources.then(supervisor.stop, "the loops")
        supervisor.start(
            clock.loop, rates.loop, credentials.loop, *hub.loops, Loop("health", WATCH_SECONDS, health.watch)
        )
        yield Dependencies(
            settings=settings,
            submitter=submitter,
            pool=pool,
            sessions=TenantSessions(pool),
            backlog=await resources.enter(Backlog(catch_up_pool, CATCH_UP_SESSIONS)),
            system_session=system_session,
            clock=clock,
            credentials=credentials,
            tenants=tenants,
            tokens=tokens,
            rates=rates,
            hub=hub,
            queued=QueuedJobs(partial(_waiting_jobs, counting)),
            streams=OpenStreams(),
            reports=FairPlaces(REPORTS_AT_ONCE),
            uploads=UploadPlaces(in_all=settings.max_uploads, per_tenant=settings.max_uploads_per_tenant),
            templates=Semaphore(),
            operator=await resources.enter(PostgresSession(settings.database, Role.SYSTEM, "operator")),
            redis=redis,
            tenant_notifier=tenant_notifier,
            cursors=cursors,
            health=health,
            faults=lambda: faults_of(supervisor.stalled(), health.last()),
            vault=key_vault(settings),
            objects=object_store(settings),
            originals=originals,
            contents=Contents(sealer, originals),
            sealer=sealer,
            search=engine,
            searching=await resources.enter(open_searching(settings, engine, pool, sealer, cursors)),
        )
