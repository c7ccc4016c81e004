"""A place for snapshots of the tenants' indexes, taking one, and bringing back what it has."""

from typing import TYPE_CHECKING, Final

from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.names import all_indices

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

WITHIN_SECONDS: Final = 3_600


def repository_of(app: str) -> str:
    return f"{app}-documents"


async def register(client: "AsyncElasticsearch", app: str, folder: str) -> None:
    """Lets snapshots be kept in this folder, which all nodes share below their `path.repo`. Safe to repeat."""
    async with translated():
        await client.snapshot.create_repository(
            name=repository_of(app), repository={"type": "fs", "settings": {"location": folder, "compress": True}}
        )


async def take(client: "AsyncElasticsearch", app: str, name: str) -> None:
    """Of all our indexes, whoever writes meanwhile. Returns when it is complete."""
    async with translated():
        await client.options(request_timeout=WITHIN_SECONDS).snapshot.create(
            repository=repository_of(app),
            snapshot=name,
            indices=all_indices(app),
            include_global_state=False,
            wait_for_completion=True,
        )


async def restore(client: "AsyncElasticsearch", app: str, name: str, indexes: str | None = None) -> None:
    """Brings back the indexes by their names, which must be gone; what was written after the snapshot they lack until the
    tenant's next rebuild. Returns when they can be searched."""
    async with translated():
        await client.options(request_timeout=WITHIN_SECONDS).snapshot.restore(
            repository=repository_of(app),
            snapshot=name,
            indices=indexes or all_indices(app),
            include_global_state=False,
            wait_for_completion=True,
        )
