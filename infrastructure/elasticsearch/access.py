"""Clients for one tenant: where the server has security on, with a key that sees this tenant's indexes and no other's."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from infrastructure.concurrency.shared_fetches import SharedFetches
from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.names import KIND, tenant_slug

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

logger = logging.getLogger(__name__)

MAX_TENANTS: Final = 10_000
PRIVILEGES: Final = ("read", "write", "maintenance", "view_index_metadata")


class Keys(Protocol):
    """The tenants' keys of the search server, sealed at rest."""

    async def of(self, tenant_id: UUID) -> str | None:
        """The tenant's newest, as the server encodes it; None when it has none."""
        ...

    async def add(self, tenant_id: UUID, key_id: str, encoded: str) -> None:
        """Safe to repeat."""
        ...

    async def remove(self, tenant_id: UUID) -> None: ...


class Access:
    """Opens what one tenant may do. Without `keys` every tenant is served with the deployment's own credentials, and so is
    every tenant of a server without security."""

    def __init__(self, client: "AsyncElasticsearch", app: str, keys: Keys | None) -> None:
        self._client = client
        self._app = app
        self._keys = keys
        self._clients: OrderedDict[UUID, AsyncElasticsearch] = OrderedDict()
        self._opening: SharedFetches[UUID] = SharedFetches()
        self._asking: SharedFetches[str] = SharedFetches()
        self._makes_keys: bool | None = None

    async def of(self, tenant_id: UUID) -> "AsyncElasticsearch":
        """The tenant's client. It shares the connections of all."""
        keys = await self._usable_keys()
        if keys is None:
            return self._client
        client = self._clients.get(tenant_id)
        if client is None:
            client = await self._opening.get(tenant_id, lambda: self._open(tenant_id, keys))
        return client

    async def provide(self, tenant_id: UUID) -> None:
        """Makes the tenant's key unless it has one."""
        keys = await self._usable_keys()
        if keys is None or await keys.of(tenant_id) is not None:
            return
        async with translated():
            made = await self._client.security.create_api_key(
                name=self._name(tenant_id), role_descriptors={"own": self._rights(tenant_id)}
            )
        await keys.add(tenant_id, made["id"], made["encoded"])
        self._clients.pop(tenant_id, None)

    async def revoke(self, tenant_id: UUID) -> None:
        """Ends all keys that were ever made for the tenant. Safe to repeat."""
        keys = await self._usable_keys()
        if keys is None:
            return
        async with translated():
            quiet = self._client.options(ignore_status=404)
            await quiet.security.invalidate_api_key(name=self._name(tenant_id), owner=True)
        await keys.remove(tenant_id)
        self._clients.pop(tenant_id, None)

    async def _usable_keys(self) -> Keys | None:
        """None where there are none: asked once, since a server's security isn't switched while it runs."""
        if self._keys is not None and self._makes_keys is None:
            self._makes_keys = await self._asking.get("security", lambda: makes_keys(self._client))
        return self._keys if self._makes_keys else None

    async def _open(self, tenant_id: UUID, keys: Keys) -> "AsyncElasticsearch":
        key = await keys.of(tenant_id)
        if key is None:
            # A tenant whose index was made while the server had no security: its next rebuild makes the key.
            return self._client
        client = self._client.options(api_key=key)
        self._clients[tenant_id] = client
        if len(self._clients) > MAX_TENANTS:
            self._clients.popitem(last=False)
        return client

    def _name(self, tenant_id: UUID) -> str:
        return f"{self._app}-{tenant_slug(tenant_id)}"

    def _rights(self, tenant_id: UUID) -> dict[str, Any]:
        # No other tenant's name begins so: the slug has a fixed length.
        names: Sequence[str] = [f"{self._name(tenant_id)}-{KIND}-g*"]
        return {"indices": [{"names": names, "privileges": list(PRIVILEGES)}]}


async def makes_keys(client: "AsyncElasticsearch") -> bool:
    """Whether the server has security on, and our credentials may make keys: those of a key may not."""
    async with translated():
        answer: Any = (await client.options(ignore_status=(400, 405)).security.authenticate()).body
    if not isinstance(answer, dict) or "authentication_type" not in answer:
        return False
    if answer["authentication_type"] == "api_key":
        logger.warning(
            "the tenants' searches share ELASTICSEARCH_API_KEY: a key can't make keys for them; give a user and a password"
        )
        return False
    return True
