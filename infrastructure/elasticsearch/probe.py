"""Readiness probe for Elasticsearch: whether it answers, is of our version, takes writes and has all of its parts."""

from typing import TYPE_CHECKING, Any, Final

from infrastructure.elasticsearch.errors import REASONS, WRONG_VERSION, translated
from infrastructure.ports import Refused, Unavailable
from schemas.health import Condition, PartState

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

MAJOR: Final = "9"
WITHIN_SECONDS: Final = 2.5
FULL: Final = "12"
"""The number of the block that Elasticsearch puts on indices itself when a disk is nearly full."""
LOST_PARTS: Final = (
    "it has lost parts of some indices (status red): start the nodes that hold them. Tenants whose indices are whole are "
    "served"
)


async def probe(client: "AsyncElasticsearch") -> Condition:
    """It is degraded while it answers and refuses some of the work. Whatever it refuses, jobs are stored, and wait."""
    quick = client.options(request_timeout=WITHIN_SECONDS)
    try:
        async with translated():
            version = str((await quick.info())["version"]["number"])
            health = (await quick.cluster.health(timeout="1s")).body
            blocked = await _is_full(quick)
    except Refused as error:
        return Condition(PartState.DEGRADED, error.problem.detail)
    except Unavailable as error:
        answers = error.retry_after_seconds is not None or str(error) == WRONG_VERSION
        return Condition(PartState.DEGRADED if answers else PartState.FAILED, str(error))
    if version.partition(".")[0] != MAJOR:
        return Condition(PartState.DEGRADED, WRONG_VERSION)
    if blocked:
        return Condition(PartState.DEGRADED, REASONS["cluster_block_exception"])
    return Condition(PartState.DEGRADED, LOST_PARTS) if health["status"] == "red" else Condition()


async def _is_full(client: "AsyncElasticsearch") -> bool:
    """Whether it blocks writes since a disk is nearly full."""
    answer: Any = await client.options(ignore_status=(403, 404)).perform_request(
        "GET", "/_cluster/state/blocks", params={"filter_path": "blocks"}, headers={"accept": "application/json"}
    )
    found = (answer.body or {}).get("blocks", {})
    return any(FULL in blocks for blocks in (found.get("global", {}), *found.get("indices", {}).values()))
