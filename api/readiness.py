"""The readiness probes of the API: PostgreSQL, Redis, the migrations, and a search server if there is one."""

from collections.abc import Mapping
from functools import partial

from infrastructure.ports import Unavailable
from infrastructure.postgres.fitness import why_tables_unfit
from infrastructure.postgres.probe import PostgresProbe
from infrastructure.postgres.refusals import condition
from infrastructure.redis.client import Redis
from infrastructure.redis.probe import probe as probe_redis
from infrastructure.settings import Settings
from monitoring.health.checks import Health, Probe
from producers.submission.submitter import Submitter
from schemas.health import Condition, PartState


def health_of(
    settings: Settings, postgres: PostgresProbe, submitter: Submitter, redis: Redis, search: Mapping[str, Probe]
) -> Health:
    """The API's health. It isn't ready without PostgreSQL and its tables, since it would answer only 503. It is degraded
    while PostgreSQL refuses writes (reads still work), Redis is down (jobs are still stored), or a search server is."""
    migrations = Migrations(settings.database)
    probes: dict[str, Probe] = {
        "postgres": Submissions(postgres, submitter, migrations),
        "redis": partial(probe_redis, redis),
        "migrations": migrations,
        **search,
    }
    return Health(probes, needed=("postgres", "migrations"))


class Migrations:
    """Checks that this release can work with the database schema. It may change while the process runs, and then no
    new connection is opened: so it is checked each time."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.complete = False

    async def __call__(self) -> Condition:
        try:
            why = await why_tables_unfit(self._database_url)
        except Unavailable:
            return Condition(PartState.UNKNOWN)
        self.complete = not why
        return Condition(PartState.FAILED, why) if why else Condition()


class Submissions:
    """Checks that jobs can be stored: there is disk space, and the submitter's session may write."""

    def __init__(self, postgres: Probe, submitter: Submitter, migrations: Migrations) -> None:
        self._postgres = postgres
        self._submitter = submitter
        self._migrations = migrations

    async def __call__(self) -> Condition:
        found = await self._postgres()
        # Missing tables are reported by the `migrations` probe.
        if found.state is PartState.OK and self._migrations.complete:
            try:
                await self._submitter.rehearse()
            except Unavailable as error:
                return condition(error.__cause__ or error)
        return found
