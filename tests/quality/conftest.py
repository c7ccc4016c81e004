"""The model that is judged: `offline`, or another by the environment.

QUALITY_MODELS=claude-haiku-5-5 ANTHROPIC_API_KEY=... make quality
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from infrastructure.settings import load
from tests.tenancy import make_tenant
from workers.ai.resources import Resources, resources

Work = Callable[[Resources, UUID], Awaitable[None]]
Judge = Callable[[Work], None]


@pytest.fixture
def judge(database_url: str, redis_url: str, tmp_path: Path) -> Judge:
    """Does the work with that model, through the whole pipeline."""
    keys = {name: value for name, value in os.environ.items() if name.startswith(("OPENAI_", "ANTHROPIC_", "AI_"))}
    own = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "BUCATINI_HOME": str(tmp_path)}
    settings = load({**keys, **own, "AI_MODELS": os.environ.get("QUALITY_MODELS", "offline")})
    tenant_id = make_tenant(settings.database)

    def with_resources(work: Work) -> None:
        async def run() -> None:
            async with resources(settings) as shared:
                await work(shared, tenant_id)

        asyncio.run(run())

    return with_resources
