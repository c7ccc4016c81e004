"""How many of the cluster's shards are used, and when it has none left at the present pace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.names import KIND

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

USUAL_PER_NODE: Final = 1_000
PACE: Final = timedelta(days=30)
"""What was made within it is what will be made within the next."""
FURTHEST: Final = timedelta(days=36_500)
NEARLY: Final = 0.8


@dataclass(frozen=True, slots=True)
class ShardBudget:
    used: int
    limit: int
    made_lately: int
    """Of ours, within PACE."""
    counted_at: datetime
    """By the server's clock."""

    @property
    def is_nearly_used(self) -> bool:
        return self.used >= NEARLY * self.limit

    @property
    def reached_at(self) -> datetime | None:
        """When no index can be made any more; None when that is beyond a century, or nothing is made at present."""
        if self.used >= self.limit:
            return self.counted_at
        if not self.made_lately:
            return None
        periods = (self.limit - self.used) / self.made_lately
        return self.counted_at + PACE * periods if periods < FURTHEST / PACE else None


def budget(used: int, nodes: int, per_node: int, made_at: Sequence[tuple[datetime, int]], now: datetime) -> ShardBudget:
    """`made_at`: when each of our indexes was made, and how many shards it has with its copies."""
    return ShardBudget(used, nodes * per_node, sum(shards for at, shards in made_at if now - at <= PACE), now)


async def shard_budget(client: "AsyncElasticsearch", app: str) -> ShardBudget:
    """Of the whole cluster, whoever's shards they are."""
    async with translated():
        health = (await client.cluster.health()).body
        told = (await client.cluster.stats(filter_path="timestamp"))["timestamp"]
        settings = (await client.cluster.get_settings(include_defaults=True, flat_settings=True)).body
        ours = (
            await client.indices.get_settings(
                index=f"{app}-*-{KIND}-g*",
                name="index.creation_date,index.number_of_shards,index.number_of_replicas",
                flat_settings=True,
                allow_no_indices=True,
            )
        ).body
    now = datetime.fromtimestamp(told / 1_000, UTC)
    return budget(
        health["active_shards"] + health["unassigned_shards"] + health["initializing_shards"],
        health["number_of_data_nodes"],
        _per_node(settings),
        [_made(one["settings"], now) for one in ours.values()],
        now,
    )


def _per_node(settings: Any) -> int:
    for level in ("transient", "persistent", "defaults"):
        if (found := settings.get(level, {}).get("cluster.max_shards_per_node")) is not None:
            return int(found)
    return USUAL_PER_NODE


def _made(settings: Any, now: datetime) -> tuple[datetime, int]:
    at = datetime.fromtimestamp(int(settings["index.creation_date"]) / 1_000, now.tzinfo)
    return at, int(settings["index.number_of_shards"]) * (1 + int(settings.get("index.number_of_replicas", 0)))
