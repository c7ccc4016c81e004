"""Golden tests of prompts, sealed, and how their runs went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from infrastructure.key_vault.cells import prompt_test_cell
from infrastructure.key_vault.sealed import Sealed
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.session import Connection
from schemas.ai.golden_tests import GoldenTest, GoldenTestResult, NamedGoldenTest, PromptTestRun
from schemas.ai.prompts import Industry

MAX_RUNS: Final = 100
"""Of a prompt: older ones are forgotten."""

_COLUMNS = "test, industry, cell, content, updated_at"
_ALL = f"SELECT {_COLUMNS} FROM ai_prompt_tests WHERE tenant_id = %s AND name = %s ORDER BY test"
_ONE = f"SELECT {_COLUMNS} FROM ai_prompt_tests WHERE tenant_id = %s AND name = %s AND test = %s"
_COUNT_OTHERS = "SELECT count(*) FROM ai_prompt_tests WHERE tenant_id = %s AND name = %s AND test <> %s"
_SET = """
INSERT INTO ai_prompt_tests AS t (tenant_id, name, test, industry, cell, content)
VALUES (%(tenant_id)s, %(name)s, %(test)s, %(industry)s, %(cell)s, %(content)b)
ON CONFLICT (tenant_id, name, test) DO UPDATE SET industry = excluded.industry, cell = excluded.cell,
  content = excluded.content, updated_at = greatest(now(), t.updated_at + interval '1 microsecond')
RETURNING updated_at
"""
_REMOVE = "DELETE FROM ai_prompt_tests WHERE tenant_id = %s AND name = %s AND test = %s"
_RECORD = """
INSERT INTO ai_prompt_test_runs (tenant_id, name, version, job_id, tests_digest, passed, results)
VALUES (%(tenant_id)s, %(name)s, %(version)s, %(job_id)s, %(digest)s, %(passed)s, %(results)s)
ON CONFLICT (tenant_id, name, version, job_id) DO UPDATE SET tests_digest = excluded.tests_digest,
  passed = excluded.passed, results = excluded.results, created_at = now()
"""
_FORGET = f"""
DELETE FROM ai_prompt_test_runs r USING (
  SELECT version, job_id FROM ai_prompt_test_runs WHERE tenant_id = %(tenant_id)s AND name = %(name)s
  ORDER BY created_at DESC OFFSET {MAX_RUNS}) AS o
WHERE r.tenant_id = %(tenant_id)s AND r.name = %(name)s AND r.version = o.version AND r.job_id = o.job_id
"""
_RUNS = """
SELECT job_id, version, passed, results, created_at FROM ai_prompt_test_runs
WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND (%(version)s::int IS NULL OR version = %(version)s)
ORDER BY created_at DESC LIMIT %(limit)s
"""
_NEWEST_OF_THESE_TESTS = """
SELECT DISTINCT ON (version) version, passed, results FROM ai_prompt_test_runs
WHERE tenant_id = %(tenant_id)s AND name = %(name)s AND version = ANY(%(versions)s) AND tests_digest = %(digest)s
ORDER BY version, created_at DESC
"""


@dataclass(frozen=True, slots=True)
class SealedTest:
    name: str
    industry: Industry | None
    cell: str
    content: Sealed
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the newest run of the present tests went for a version."""

    passed: bool
    failed: tuple[str, ...]
    """The tests that it didn't pass."""


async def all_tests(connection: Connection, tenant_id: UUID, name: str) -> list[SealedTest]:
    return [_sealed(row) for row in await (await connection.execute(_ALL, (tenant_id, name))).fetchall()]


async def one_test(connection: Connection, tenant_id: UUID, name: str, test: str) -> SealedTest | None:
    row = await (await connection.execute(_ONE, (tenant_id, name, test))).fetchone()
    return None if row is None else _sealed(row)


async def opened_test(sealer: Sealer, tenant_id: UUID, sealed: SealedTest) -> NamedGoldenTest:
    text = await sealer.open(prompt_test_cell(tenant_id, sealed.cell), sealed.content)
    test = GoldenTest.model_validate_json(text)
    return NamedGoldenTest(name=sealed.name, updated_at=sealed.updated_at, **dict(test))


def that_apply(tests: Sequence[SealedTest], industry: Industry | None) -> list[SealedTest]:
    """Those that a version of the industry has to pass."""
    return [one for one in tests if one.industry in (None, industry)]


def digest_of_tests(tests: Sequence[SealedTest]) -> bytes:
    """Another one as soon as a test is added, changed or removed."""
    return sha256(repr(sorted((one.name, one.cell) for one in tests)).encode()).digest()


async def count_others(connection: Connection, tenant_id: UUID, name: str, test: str) -> int:
    row = await (await connection.execute(_COUNT_OTHERS, (tenant_id, name, test))).fetchone()
    return 0 if row is None else int(row[0])


async def set_test(
    connection: Connection, tenant_id: UUID, name: str, test: str, industry: Industry | None, cell: str, content: bytes
) -> datetime:
    new = {"tenant_id": tenant_id, "name": name, "test": test, "industry": industry, "cell": cell, "content": content}
    row = await (await connection.execute(_SET, new)).fetchone()
    assert row is not None, "the statement returns what it wrote"
    updated_at: datetime = row[0]
    return updated_at


async def remove_test(connection: Connection, tenant_id: UUID, name: str, test: str) -> bool:
    """False when there was none."""
    return (await connection.execute(_REMOVE, (tenant_id, name, test))).rowcount > 0


async def record_run(
    connection: Connection,
    tenant_id: UUID,
    name: str,
    version: int,
    job_id: UUID,
    tests_digest: bytes,
    results: Sequence[GoldenTestResult],
) -> None:
    """Keeps how the tests went. A job that runs again records its last run. Call it in a transaction."""
    run = {
        "tenant_id": tenant_id,
        "name": name,
        "version": version,
        "job_id": job_id,
        "digest": tests_digest,
        "passed": all(one.passed for one in results),
        "results": Jsonb([one.model_dump(mode="json") for one in results]),
    }
    await connection.execute(_RECORD, run)
    await connection.execute(_FORGET, {"tenant_id": tenant_id, "name": name})


async def runs(
    connection: Connection, tenant_id: UUID, name: str, *, version: int | None, limit: int
) -> list[PromptTestRun]:
    """The newest first."""
    named = {"tenant_id": tenant_id, "name": name, "version": version, "limit": limit}
    return [
        PromptTestRun(job_id=job_id, version=number, passed=passed, results=_results(results), at=at)
        for job_id, number, passed, results, at in await (await connection.execute(_RUNS, named)).fetchall()
    ]


async def verdicts(
    connection: Connection, tenant_id: UUID, name: str, versions: Sequence[int], tests: Sequence[SealedTest]
) -> dict[int, Verdict]:
    """By version; none for one that these tests weren't run on."""
    named = {"tenant_id": tenant_id, "name": name, "versions": list(versions), "digest": digest_of_tests(tests)}
    rows = await (await connection.execute(_NEWEST_OF_THESE_TESTS, named)).fetchall()
    return {
        version: Verdict(passed, tuple(one.test for one in _results(results) if not one.passed))
        for version, passed, results in rows
    }


def _results(results: Any) -> tuple[GoldenTestResult, ...]:
    return tuple(GoldenTestResult.model_validate(one) for one in results)


def _sealed(row: tuple[Any, ...]) -> SealedTest:
    test, industry, cell, content, updated_at = row
    return SealedTest(test, Industry(industry) if industry else None, cell, Sealed(content), updated_at)
