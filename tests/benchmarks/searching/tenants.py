"""`python -m tests.benchmarks.searching.tenants FOLDER COUNT`: what a process holds in memory for many tenants that have an
embedded index each. Prints the mebibytes as JSON: at the start, once all are written, and once all were searched."""

import asyncio
import json
import os
import sys
from pathlib import Path
from uuid import UUID

import psutil

from infrastructure.tantivy.engine import TantivyEngine
from schemas.search import AllTerms, SearchQuery
from tests.benchmarks.meter import resident_bytes
from tests.benchmarks.searching.contest import in_batches
from tests.benchmarks.searching.corpus import WORDS, documents

DOCUMENTS = 20


async def main(folder: Path, count: int) -> dict[str, float]:
    async def holds(_: UUID) -> bool:
        return True

    tenants = [UUID(int=number + 1) for number in range(count)]
    found = {"start": _mebibytes()}
    async with TantivyEngine(folder, holds) as engine:
        for number, tenant_id in enumerate(tenants):
            await engine.rebuild(tenant_id, in_batches([documents(f"tenant-{number}", DOCUMENTS)]))
        found["written"] = _mebibytes()
        for tenant_id in tenants:
            page = await engine.search(tenant_id, SearchQuery(match=AllTerms(text=WORDS[0])))
            assert page.results.total, "every tenant's documents have the most frequent word"
        found["searched"] = _mebibytes()
        found["threads"] = float(psutil.Process().num_threads())
    return found


def _mebibytes() -> float:
    return resident_bytes(os.getpid()) / 2**20


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))))
