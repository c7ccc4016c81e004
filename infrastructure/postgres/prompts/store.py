"""The prompts that jobs are written from, in PostgreSQL and among those that Bucatini came with."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from infrastructure.ports import Refused
from infrastructure.ports.ai.prompts import VersionTests
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.prompts import exposures, golden_tests, pinning, versions
from infrastructure.postgres.prompts.pinning import NotPinned
from infrastructure.postgres.prompts.versions import WholeVersion
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.ai.golden_tests import GoldenTestResult
from schemas.ai.prompts import PromptRef, RenderedPrompt
from schemas.model import FreeJson
from schemas.problems import FieldProblem, Problem


class StoredPrompts:
    """The Prompts of the port."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def rendered(
        self, tenant_id: UUID, ref: PromptRef, variables: Mapping[str, FreeJson], *, job_id: UUID | None = None
    ) -> tuple[RenderedPrompt, tuple[str, ...]]:
        # Liquid isn't loaded before a job needs it, and a large template takes the event loop's time.
        from infrastructure.prompts.rendering import rendered

        found = await self._whole(tenant_id, ref, job_id)
        rendering = await asyncio.to_thread(rendered, found.version, found.content, variables)
        return rendering.prompt, rendering.unused

    async def exposed(self, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
        pinned, _ = await self._pinned(tenant_id, ref, job_id)
        note = partial(exposures.note, tenant_id=tenant_id, job_id=job_id, ref=pinned)
        await self._pool.run(tenant_id, note)

    async def tests(self, tenant_id: UUID, ref: PromptRef) -> VersionTests:
        whole = await self._whole(tenant_id, ref, None)
        read = partial(golden_tests.all_tests, tenant_id=tenant_id, name=ref.name)
        found = golden_tests.that_apply(await self._pool.run(tenant_id, read), whole.version.industry)
        opened = [await golden_tests.opened_test(self._sealer, tenant_id, one) for one in found]
        return VersionTests(tuple(opened), golden_tests.digest_of_tests(found))

    async def record_tests(
        self, tenant_id: UUID, job_id: UUID, ref: PromptRef, tests: VersionTests, results: Sequence[GoldenTestResult]
    ) -> None:
        assert ref.version is not None, "a tested prompt is pinned"
        record = partial(
            golden_tests.record_run,
            tenant_id=tenant_id,
            name=ref.name,
            version=ref.version,
            job_id=job_id,
            tests_digest=tests.digest,
            results=results,
        )
        await self._pool.run(tenant_id, record)

    async def _whole(self, tenant_id: UUID, ref: PromptRef, job_id: UUID | None) -> WholeVersion:
        pinned, found = await self._pinned(tenant_id, ref, job_id)
        assert pinned.version is not None
        whole = await versions.whole_version(self._sealer, tenant_id, found, pinned.name, pinned.version)
        assert whole is not None, "it was found when it was pinned"
        return whole

    async def _pinned(
        self, tenant_id: UUID, ref: PromptRef, job_id: UUID | None
    ) -> tuple[PromptRef, versions.SealedVersions]:
        pin = partial(pinning.pin, tenant_id=tenant_id, refs=[ref], draws=[job_id or tenant_id])
        pins = await self._pool.run(tenant_id, pin)
        (pinned,) = pins.refs
        if isinstance(pinned, NotPinned):
            pointer, detail = pinning.reason_of(pinned)
            errors = (FieldProblem(pointer=f"/prompt{pointer}", detail=detail),)
            raise Refused(Problem.of("no-such-prompt", "There is no such prompt", 422, detail, errors=errors))
        return pinned, pins.found
