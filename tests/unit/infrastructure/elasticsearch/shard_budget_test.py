"""How long a cluster's shards last."""

from datetime import UTC, datetime, timedelta

from infrastructure.elasticsearch.lifecycle.shard_budget import budget


def test_the_shards_last_for_as_long_as_their_pace_says() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    lately = [(now - timedelta(days=day), 2) for day in range(25)]
    old = [(now - timedelta(days=40), 100)]

    found = budget(500, 1, 1_000, [*lately, *old], now)

    assert (found.limit, found.made_lately, found.is_nearly_used) == (1_000, 50, False)
    assert found.reached_at == now + timedelta(days=300)
    assert budget(500, 1, 1_000, old, now).reached_at is None
    assert budget(1_000, 1, 1_000, old, now).reached_at == now
