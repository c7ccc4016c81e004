"""The forms of REDIS_URL, and how each is parsed."""

import pytest

from infrastructure.redis.address import BySentinel, Direct, InCluster, RedisUrlInvalid, address_of

SECRET = "s3cret"


@pytest.mark.parametrize("url", ["redis://:s3cret@here:6379/0", "rediss://here", "unix:///run/redis.sock"])
def test_one_address_is_left_to_the_client(url: str) -> None:
    assert address_of(url) == Direct(url)


def test_sentinels_are_asked_for_their_master() -> None:
    assert address_of(f"sentinel://:{SECRET}@one:1,two,[::1]:3/main/2?sentinel_password=0ther") == BySentinel(
        (("one", 1), ("two", 26379), ("::1", 3)), None, SECRET, "main", 2, "0ther"
    )
    assert address_of("sentinel://one/main") == BySentinel((("one", 26379),), None, None, "main")


def test_a_clusters_nodes_are_asked_for_our_slot() -> None:
    assert address_of("cluster://me:p%40ss@one:1,two") == InCluster((("one", 1), ("two", 6379)), "me", "p@ss")


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@one",
        SECRET,
        f"sentinel://:{SECRET}@one:1",
        f"sentinel://:{SECRET}@one:1/main/{SECRET}",
        f"cluster://:{SECRET}@",
        f"cluster://:{SECRET}@one:port",
        f"cluster://:{SECRET}@[one:1",
    ],
)
def test_what_can_not_be_read_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(RedisUrlInvalid) as refused:
        address_of(url)

    assert "REDIS_URL" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("url", [f"redis://:{SECRET}@one", f"sentinel://:{SECRET}@one/m?sentinel_password={SECRET}"])
def test_an_address_shows_no_password(url: str) -> None:
    assert SECRET not in repr(address_of(url))
