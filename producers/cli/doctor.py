"""`bucatini doctor`: checks everything this needs, and says what to do about what is missing."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version

import typer
from packaging.requirements import Requirement
from pydantic import ValidationError
from rich.text import Text

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.folders import ROOM_BYTES
from infrastructure.local_stack.servers.postgres_data import programs
from infrastructure.local_stack.servers.redis import server_binary
from infrastructure.local_stack.supervisor.processes import PartFailed
from infrastructure.ports import Refused, Unavailable
from infrastructure.settings import Settings, SettingsInvalid
from kinds.declaration import JobInvalid
from kinds.loading import load as load_jobs
from producers.cli.lazy_group import command_group
from producers.cli.output import Output, OutputOption, Rows, print_lines, print_view, printable
from schemas.catalogue import queues
from schemas.health import Condition, PartState, Readiness, Ready

app = command_group()

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 15
API_SECONDS = 5.0


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    ABSENT = "absent"
    """It isn't there and needn't be, for instance because nothing was started yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    verdict: Verdict
    text: str


SIGNS = {Verdict.GOOD: ("✓", "green"), Verdict.BAD: ("✗", "red"), Verdict.ABSENT: ("–", "yellow")}


@app.command("doctor")
def examine(output: OutputOption = Output.TABLE) -> None:
    """Check what this needs; say what to do. Exit code 1 when something is wrong."""
    found = []
    for finding in findings():
        found.append(finding)
        if output is Output.TABLE:
            print_lines([_line(finding)])
    if output is not Output.TABLE:
        print_view(Rows([asdict(finding) for finding in found], (), "nothing was checked"), output)
    raise typer.Exit(1 if any(finding.verdict is Verdict.BAD for finding in found) else 0)


def _line(finding: Finding) -> Text:
    return Text.assemble(SIGNS[finding.verdict], f" {finding.name:12} {printable(finding.text)}")


def findings() -> Iterator[Finding]:
    """The findings, one by one as they are checked; what can't be reached takes seconds."""
    yield python_finding(sys.version_info[:3])
    yield _packages()
    try:
        settings = settings_module.load()
    except SettingsInvalid as error:
        yield Finding("settings", Verdict.BAD, str(error))
        return
    yield _embedded("postgres", lambda: str(programs() / "postgres"), needed=settings.database_url is None)
    yield _embedded("redis", server_binary, needed=settings.redis_url is None)
    yield _disk(settings)
    yield from _jobs(settings)  # Before the workers: which pools there are depends on it.
    yield from _database(settings)
    yield _redis(settings)
    yield from _search(settings)
    yield _api(settings)


def python_finding(found: tuple[int, ...]) -> Finding:
    shown = ".".join(map(str, found))
    if found >= OLDEST_PYTHON:
        return Finding("python", Verdict.GOOD, shown)
    return Finding("python", Verdict.BAD, f"{shown} is too old: 3.11 is needed")


def _packages() -> Finding:
    try:
        needed = [Requirement(line) for line in requires("bucatini") or ()]
    except PackageNotFoundError:
        return Finding(
            "packages", Verdict.ABSENT, "bucatini runs from its sources and isn't installed: `make run` does"
        )
    wrong = [str(one) for one in needed if (not one.marker or one.marker.evaluate()) and not _satisfied(one)]
    if wrong:
        return Finding("packages", Verdict.BAD, f"missing or too old: {', '.join(wrong)}; run `make run` again")
    return Finding("packages", Verdict.GOOD, f"{len(needed)} requirements are met")


def _satisfied(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _embedded(name: str, find: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(f"own {name}", Verdict.GOOD, find())
    except PartFailed as failure:
        return Finding(f"own {name}", Verdict.BAD if needed else Verdict.ABSENT, str(failure))


def _disk(settings: Settings) -> Finding:
    home = settings.bucatini_home.absolute()
    existing = next(place for place in (home, *home.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    shown = f"{free // 1_000_000:,} MB are free for {settings.bucatini_home}"
    if free < ROOM_BYTES:
        return Finding("disk", Verdict.BAD, f"{shown}: free some, or choose another place with BUCATINI_HOME")
    return Finding("disk", Verdict.GOOD, shown)


def _jobs(settings: Settings) -> Iterator[Finding]:
    """Whether the packages that BUCATINI_JOBS names can be loaded, if it names any."""
    if not settings.bucatini_jobs:
        return
    try:
        kinds = sorted(job.command.kind for job in load_jobs(settings))
    except JobInvalid as error:
        yield Finding("own jobs", Verdict.BAD, str(error))
        return
    yield Finding("own jobs", Verdict.GOOD, f"{', '.join(settings.bucatini_jobs)}: {', '.join(kinds)}")


def _database(settings: Settings) -> Iterator[Finding]:
    from infrastructure.postgres.inspection import inspect

    if settings.database_url is None:
        yield Finding("database", Verdict.ABSENT, "none is known: run `bucatini up` or set DATABASE_URL")
        return
    try:
        found = inspect(settings.database, lease_seconds=settings.lease_seconds)
    except Unavailable as error:
        yield Finding("database", Verdict.BAD, str(error))
        return
    if found.version < OLDEST_POSTGRES:
        yield Finding("database", Verdict.BAD, f"PostgreSQL {found.version} is too old: {OLDEST_POSTGRES} is needed")
    elif found.unfit:
        yield Finding("database", Verdict.BAD, f"PostgreSQL {found.version}: {found.unfit}")
    else:
        yield _writable(settings, f"PostgreSQL {found.version}, its tables up to date")
    yield workers_finding(found.workers)


def _writable(settings: Settings, shown: str) -> Finding:
    from infrastructure.postgres.probe import PostgresProbe

    async def check() -> Condition:
        async with PostgresProbe(settings.database) as probe:
            return await probe()

    found = asyncio.run(check())
    if found.state is not PartState.OK:
        return Finding("database", Verdict.BAD, f"{shown}; {found.reason}")
    return Finding("database", Verdict.GOOD, shown)


def workers_finding(alive: Mapping[str, int]) -> Finding:
    """Whether every pool has a worker."""
    shown = ", ".join(f"{queue} {count}" for queue, count in sorted(alive.items()))
    lacking = [queue for queue in queues() if not alive.get(queue)]
    if not alive:
        return Finding(
            "workers", Verdict.ABSENT, "none runs: start all with `bucatini up` or one with `bucatini worker POOL`"
        )
    if lacking:
        return Finding(
            "workers", Verdict.BAD, f"{shown}; none for {', '.join(lacking)}: start it with `bucatini worker POOL`"
        )
    return Finding("workers", Verdict.GOOD, shown)


def _redis(settings: Settings) -> Finding:
    from infrastructure.redis.client import FAULTS, connect
    from infrastructure.redis.probe import probe
    from infrastructure.redis.refusals import reason

    if settings.redis_url is None:
        return Finding("redis", Verdict.ABSENT, "none is known: run `bucatini up` or set REDIS_URL")

    async def check() -> tuple[Condition, str, str]:
        client = connect(settings.redis)
        try:
            found = await probe(client)
            if found.state is not PartState.OK:
                return found, "", ""
            policy = await client.config_get("maxmemory-policy")
            server = await client.info("server")
            return found, str(server.get("redis_version", "?")), str(policy.get("maxmemory-policy", "?"))
        finally:
            await client.aclose()

    try:
        found, version, policy = asyncio.run(check())
    except FAULTS as error:
        return Finding("redis", Verdict.BAD, f"{reason(error)}: check REDIS_URL")
    if found.state is not PartState.OK:
        checked = ": check REDIS_URL" if found.state is PartState.FAILED else ""
        return Finding("redis", Verdict.BAD, f"{found.reason}{checked}")
    return redis_finding(version, policy)


def redis_finding(found: str, policy: str) -> Finding:
    """Whether this Redis refuses when it is full. One that evicts loses doorbells silently."""
    if policy != "noeviction":
        return Finding("redis", Verdict.BAD, f"{found} evicts ({policy}): set its maxmemory-policy to noeviction")
    return Finding("redis", Verdict.GOOD, f"{found}, {policy}")


def _search(settings: Settings) -> Iterator[Finding]:
    """Elasticsearch, where it is the search engine: the embedded one has nothing to check."""
    try:
        if settings.chosen_search_engine == "tantivy":
            return
        from infrastructure.elasticsearch.inspection import inspect

        found = asyncio.run(inspect(settings))
    except (SettingsInvalid, Unavailable, Refused) as error:
        yield Finding("search", Verdict.BAD, str(error))
        return
    security = "security on" if found.secured else "security off"
    shown = f"Elasticsearch {found.version}, cluster {found.name}, nodes: {found.nodes}, {security}"
    if found.flaws:
        yield Finding("search", Verdict.BAD, f"{shown}; {'; '.join(found.flaws)}")
    else:
        yield Finding("search", Verdict.GOOD, shown)


def _api(settings: Settings) -> Finding:
    import httpx

    if settings.bucatini_url is None:
        return Finding("api", Verdict.ABSENT, "none is known: run `bucatini up` or set BUCATINI_URL")
    try:
        answer = httpx.get(f"{settings.bucatini_url}/readyz", timeout=API_SECONDS, trust_env=False)
    except httpx.TransportError as error:
        return Finding(
            "api", Verdict.BAD, f"{settings.bucatini_url} doesn't answer ({type(error).__name__}): is it started?"
        )
    if answer.is_success:
        return _readiness(settings.bucatini_url, answer.content)
    return Finding(
        "api",
        Verdict.BAD,
        f"{settings.bucatini_url} isn't ready ({answer.status_code}): see {settings.bucatini_url}/readyz",
    )


def _readiness(url: str, answer: bytes) -> Finding:
    try:
        ready = Ready.model_validate_json(answer)
    except ValidationError:
        return Finding(
            "api", Verdict.BAD, f"{url} is no ingress of this release, or isn't one at all: check BUCATINI_URL"
        )
    if ready.status is Readiness.READY:
        return Finding("api", Verdict.GOOD, f"{url} is ready")
    return Finding("api", Verdict.BAD, f"{url} is {ready.status}: {ready.reasons}")
