"""The prompts that jobs are written from, in PostgreSQL and among those that Bucatini came with."""

import asyncio
from collections.abc import Mapping
from functools import partial
from uuid import UUID

from infrastructure.ports import Refused
from infrastructure.ports.keys import Sealer
from infrastructure.postgres.prompts import exposures, versions
from infrastructure.postgres.prompts.versions import WholeVersion
from infrastructure.postgres.tenants.pool import TenantPool
from schemas.ai.prompts import PromptRef, RenderedPrompt
from schemas.model import FreeJson
from schemas.problems import Problem


class StoredPrompts:
    """The Prompts of the port."""

    def __init__(self, pool: TenantPool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def rendered(
        self, tenant_id: UUID, ref: PromptRef, variables: Mapping[str, FreeJson]
    ) -> tuple[RenderedPrompt, tuple[str, ...]]:
        # Liquid isn't loaded before a job needs it, and a large template takes the event loop's time.
        from infrastructure.prompts.rendering import rendered

        found = await self._whole(tenant_id, ref)
        rendering = await asyncio.to_thread(rendered, found.version, found.content, variables)
        return rendering.prompt, rendering.unused

    async def exposed(self, tenant_id: UUID, job_id: UUID, ref: PromptRef) -> None:
        note = partial(exposures.note, tenant_id=tenant_id, job_id=job_id, ref=ref)
        await self._pool.run(tenant_id, note)

    async def _whole(self, tenant_id: UUID, ref: PromptRef) -> WholeVersion:
        if ref.version is None:
            raise Refused(_unknown(f"the job's prompt {ref.name!r} has no version: it wasn't pinned"))
        find = partial(versions.find, tenant_id=tenant_id, wanted=[(ref.name, ref.version)])
        found = await versions.whole_version(
            self._sealer, tenant_id, await self._pool.run(tenant_id, find), ref.name, ref.version
        )
        if found is None:
            raise Refused(_unknown(f"there is no version {ref.version} of the prompt {ref.name!r}"))
        return found


def _unknown(detail: str) -> Problem:
    return Problem.of("no-such-prompt", "There is no such prompt", 422, detail)
