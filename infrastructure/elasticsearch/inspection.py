"""What `bucatini doctor` says about a cluster: whether it answers, fits, lets us in, has our templates and room."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infrastructure.elasticsearch.client import elasticsearch
from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.lifecycle.shard_budget import ShardBudget, shard_budget
from infrastructure.elasticsearch.names import KIND, all_indices, checked_app
from infrastructure.elasticsearch.setup import Comparison, Difference, compare
from infrastructure.settings import Settings

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

MAJOR_VERSION = 9
NEEDED = ("create_index", "delete_index", "manage", "read", "write", "view_index_metadata")
"""What the workers of the pool `search` do with the tenants' indices."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """A cluster that answers."""

    name: str
    version: str
    nodes: int
    secured: bool
    flaws: tuple[str, ...]
    """What is wrong, each with what to do."""


async def inspect(settings: Settings) -> Inspected:
    """Changes nothing. Unavailable when the cluster can't be used at all, SettingsInvalid when it can't even be asked."""
    app = checked_app(settings.elasticsearch_app)
    async with elasticsearch(settings) as client, translated():
        about = (await client.info()).body
        health = (await client.cluster.health()).body
        secured, lacking = await _rights(client, app)
        flaws = [
            version_flaw(about["version"]["number"]),
            _rights_flaw(lacking),
            _template_flaw(await compare(client, app)),
            _health_flaw(health),
            *await _disk_flaws(client, app),
            _shards_flaw(await shard_budget(client, app)),
        ]
    return Inspected(
        health["cluster_name"],
        about["version"]["number"],
        health["number_of_nodes"],
        secured,
        tuple(flaw for flaw in flaws if flaw),
    )


def version_flaw(version: str) -> str:
    """Empty for a version that this release is tested with."""
    major = version.partition(".")[0]
    return (
        ""
        if major == str(MAJOR_VERSION)
        else f"it is version {version}, and this release is tested with {MAJOR_VERSION}"
    )


async def _rights(client: "AsyncElasticsearch", app: str) -> tuple[bool, tuple[str, ...]]:
    """Whether it has security on, and which rights to the tenants' indices this user lacks."""
    names = [f"{app}-*-{KIND}-*"]
    asked = client.options(ignore_status=(400, 405))
    answer: Any = (await asked.security.has_privileges(index=[{"names": names, "privileges": list(NEEDED)}])).body
    if not isinstance(answer, dict) or "index" not in answer:
        return False, ()
    granted = answer["index"][names[0]]
    return True, tuple(right for right in NEEDED if not granted.get(right))


def _rights_flaw(lacking: tuple[str, ...]) -> str:
    if not lacking:
        return ""
    return (
        f"its user lacks {', '.join(lacking)} on our indices: give it the role `bucatini_indexing` of "
        "infrastructure/elasticsearch/configuration/roles.yml"
    )


def _template_flaw(compared: tuple[Comparison, ...]) -> str:
    stale = [one for one in compared if one.difference in (Difference.MISSING, Difference.DIFFERENT)]
    if not stale:
        return ""
    named = ", ".join(f"{one.template.name} is {one.difference}" for one in stale)
    return f"its templates aren't ours ({named}): run `bucatini search setup`"


def _health_flaw(health: Any) -> str:
    if health["status"] != "red":
        return ""
    return "it has lost parts of indices (status red): start the nodes that hold them, or restore a snapshot"


def _shards_flaw(budget: ShardBudget) -> str:
    if not budget.is_nearly_used:
        return ""
    at = budget.reached_at
    until = "" if at is None else f" and has none left about {at:%Y-%m-%d} at the present pace"
    return f"it uses {budget.used} of its {budget.limit} shards{until}: add a node, or set SEARCH_ROTATION=adaptive"


async def _disk_flaws(client: "AsyncElasticsearch", app: str) -> list[str]:
    settings = await client.indices.get_settings(
        index=all_indices(app), name="index.blocks.*", flat_settings=True, allow_no_indices=True
    )
    blocked = sum("true" in one["settings"].values() for one in settings.body.values())
    report = (await client.options(ignore_status=(403, 404)).health_report(feature=["disk"])).body
    disk = report.get("indicators", {}).get("disk", {})
    flaws = []
    if blocked:
        flaws.append(f"{blocked} of our indices take no writes: free some disk space and remove their blocks")
    if disk.get("status") in ("yellow", "red"):
        flaws.append("a node's disk is nearly full: free some space, or add a node")
    return flaws
