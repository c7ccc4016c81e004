"""Physical indexes: made, filled fast, settled, measured and removed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from elasticsearch import BadRequestError

from infrastructure.elasticsearch.errors import translated, type_of
from infrastructure.elasticsearch.names import KIND, IndexName, allocation_alias, parse, read_alias, tenant_slug
from infrastructure.elasticsearch.setup import set_up
from infrastructure.ports.search_locations import Generation

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

FILLING: Final[Mapping[str, Any]] = {"refresh_interval": "-1", "auto_expand_replicas": False, "number_of_replicas": 0}
"""Until it answers, an index is neither searched nor copied."""
COPIED_WITHIN: Final = "30s"
NAMES_AT_ONCE: Final = 50
"""They are in an address, which has 4,096 characters."""


@dataclass(frozen=True, slots=True)
class Size:
    documents: int
    bytes: int


class Indexes:
    """The server's indexes, with the deployment's own credentials."""

    def __init__(self, client: "AsyncElasticsearch", app: str) -> None:
        self._client = client
        self._app = app

    async def make(self, name: IndexName, *, filling: bool) -> None:
        """An empty one. Safe to repeat: one that is there is taken as it is, since nothing is written to an index that the
        locator doesn't name."""
        # Each time, since a server may have come back empty: without this release's templates an index isn't what its searches
        # take it for.
        await set_up(self._client, self._app)
        async with translated():
            try:
                await self._client.indices.create(index=str(name), settings=dict(FILLING) if filling else None)
            except BadRequestError as error:
                if type_of(error.body) != "resource_already_exists_exception":
                    raise
                if filling:
                    await self._client.indices.put_settings(index=str(name), settings=dict(FILLING))

    async def settle(self, names: Sequence[str]) -> None:
        """Gives filled indexes the settings of their template, and waits a while for their copies."""
        async with translated():
            found = await self._client.cluster.get_component_template(name=f"{self._app}-{KIND}-settings")
        (one,) = found["component_templates"]
        usual = one["component_template"]["template"]["settings"]["index"]
        settings = {setting: usual.get(setting) for setting in FILLING}
        for name in names:
            async with translated():
                await self._client.indices.put_settings(index=name, settings=settings)
                quiet = self._client.options(ignore_status=408, request_timeout=60)
                await quiet.cluster.health(index=name, wait_for_status="green", timeout=COPIED_WITHIN)

    async def are_there(self, names: Iterable[str]) -> bool:
        """Whether the server has all of them."""
        async with translated():
            return bool(await self._client.indices.exists(index=",".join(names), expand_wildcards="none"))

    async def sizes(self, names: Sequence[str]) -> Mapping[str, Size]:
        """Of those that the server has."""
        sizes: dict[str, Size] = {}
        for start in range(0, len(names), NAMES_AT_ONCE):
            async with translated():
                # The client's own method can't leave out the missing ones.
                answer = await self._client.perform_request(
                    "GET",
                    f"/{','.join(names[start : start + NAMES_AT_ONCE])}/_stats/docs,store",
                    params={
                        "ignore_unavailable": "true",
                        "expand_wildcards": "none",
                        "filter_path": "indices.*.primaries",
                    },
                    headers={"accept": "application/json"},
                )
            for name, found in answer.body.get("indices", {}).items():
                primaries = found["primaries"]
                sizes[name] = Size(primaries["docs"]["count"], primaries["store"]["size_in_bytes"])
        return sizes

    async def name(self, tenant_id: UUID, answering: Generation) -> None:
        """Lets the tenant's aliases, which are for operators, stand for this generation alone, in one step."""
        read, allocation = read_alias(self._app, tenant_id), allocation_alias(self._app, tenant_id)
        async with translated():
            found = (await self._client.options(ignore_status=404).indices.get_alias(name=f"{read},{allocation}")).body
            old = [
                {"remove": {"index": index, "alias": alias}}
                for index, one in found.items()
                if isinstance(one, dict) and "aliases" in one
                for alias in one["aliases"]
            ]
            new = [{"add": {"index": index, "alias": read}} for index in answering.indexes]
            last = {"index": answering.allocation, "alias": allocation, "is_write_index": True}
            await self._client.indices.update_aliases(actions=[*old, *new, {"add": last}])

    async def of_tenant(self, tenant_id: UUID) -> Sequence[str]:
        """All that the server has of the tenant, whether the locator names them or not."""
        # No other tenant's name begins so: the slug has a fixed length.
        pattern = f"{self._app}-{tenant_slug(tenant_id)}-{KIND}-g*"
        async with translated():
            answer = await self._client.indices.get(
                index=pattern, expand_wildcards="all", allow_no_indices=True, filter_path="*.settings.index.uuid"
            )
        return sorted(name for name in answer.body if _owned(name, self._app, tenant_id))

    async def remove(self, names: Iterable[str]) -> None:
        """Safe to repeat."""
        for name in names:
            async with translated():
                await self._client.indices.delete(index=name, ignore_unavailable=True, expand_wildcards="none")


def _owned(name: str, app: str, tenant_id: UUID) -> bool:
    parsed = parse(name)
    return parsed is not None and parsed.belongs_to(app, tenant_id)
