"""Where Elasticsearch is configured, workers write to it, searches are answered from it, and readiness names it."""

import asyncio
import shutil
from pathlib import Path

import httpx
from pydantic import SecretStr

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.wiring import search_engine
from schemas.search import AllTerms, IndexDocument, Reindex, SearchQuery
from tests.elasticsearch.cluster import elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution
from tests.integration.serving import World
from tests.system import System
from tests.waiting import wait_until


def lease(number: int) -> IndexDocument:
    return IndexDocument(
        document_id=f"d{number}", title="Lease", text=f"document number {number}", document_type="contract"
    )


def test_a_killed_worker_leaves_every_document_to_the_next_and_none_twice(
    system: System, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    quick = {"HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "5"}
    system.environment |= {"ELASTICSEARCH_URL": elasticsearch_url, "ELASTICSEARCH_APP": elasticsearch_app}
    system.dispatcher(**quick)
    first = system.start("workers.runtime", "search", **quick)
    job_ids = system.submit(*(lease(number) for number in range(150)))
    wait_until(lambda: system.states()["succeeded"] > 10, "some documents are indexed")

    first.kill()
    system.start("workers.runtime", "search", **quick)

    assert system.await_all_finished(len(job_ids)) == {"succeeded": 150}

    async def found() -> tuple[int, int]:
        async with search_engine(system.settings) as engine:
            everything = await engine.search(system.tenant_id, SearchQuery(limit=0))
            one = await engine.search(system.tenant_id, SearchQuery(match=AllTerms(text="number 77"), limit=0))
            (state,) = await engine.states(system.tenant_id)
            assert state.documents == 150
            return everything.results.total, one.results.total

    assert asyncio.run(found()) == (150, 1)


def test_jobs_wait_for_a_server_that_is_away_and_put_everything_into_it_when_it_comes_back_empty(
    system: System, elasticsearch_distribution: Distribution, elasticsearch_folder: Path
) -> None:
    with elasticsearch_cluster(elasticsearch_folder, elasticsearch_distribution) as cluster:
        (node,) = cluster.nodes
        system.environment |= {"ELASTICSEARCH_URL": node.url, "ELASTICSEARCH_SECONDS": "10"}
        system.dispatcher()
        system.start("workers.runtime", "search")
        (before,) = system.submit(lease(1))
        system.await_state(before, "succeeded")

        node.kill()
        waiting = system.submit(lease(2), Reindex())
        wait_until(
            lambda: all(system.timeline(one).count("job.retrying") > 2 for one in waiting), "they are tried again"
        )
        attempts = system.read("SELECT attempt FROM jobs WHERE id = ANY(%s)", waiting)
        shutil.rmtree(node.folder / "data")
        node.start()

        for one in waiting:
            system.await_state(one, "succeeded")
        assert attempts == [(0,), (0,)], "to find the server away was no attempt"

        async def found() -> int:
            async with search_engine(system.settings) as engine:
                return (await engine.search(system.tenant_id, SearchQuery(match=AllTerms(text="lease")))).results.total

        assert asyncio.run(found()) == 2


def test_readiness_names_elasticsearch_and_jobs_are_taken_while_it_is_away(system: System) -> None:
    away = SecretStr(f"http://{LOOPBACK}:{free_port()}")
    with World(system.settings.model_copy(update={"elasticsearch_url": away})) as world:
        # On a busy machine any part may be slow at first.
        wait_until(lambda: _says_that_only_elasticsearch_is_away(world), "the ingress serves, and says what is away")


def _says_that_only_elasticsearch_is_away(world: World) -> bool:
    answer = httpx.get(f"{world.url}/readyz", trust_env=False)
    parts = {part["name"]: part for part in answer.json()["parts"]}
    failed = [name for name, part in parts.items() if part["state"] != "ok"]
    return (
        (answer.status_code, answer.json()["status"]) == (httpx.codes.OK, "degraded")
        and failed == ["elasticsearch"]
        and "can't be reached" in parts["elasticsearch"]["detail"]
    )
