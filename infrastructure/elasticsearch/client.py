"""The official client, as this process uses it."""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from infrastructure.elasticsearch.address import Account, Address, ApiKey, address_of
from infrastructure.settings import Settings, SettingsInvalid

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

CONNECTIONS_PER_NODE = 50


@asynccontextmanager
async def elasticsearch(settings: Settings) -> AsyncIterator["AsyncElasticsearch"]:
    """A client of the settings' cluster, which connects when it is first used. SettingsInvalid for what can't work.

    It never goes through a proxy: its transport reads none from the environment.
    """
    client = _client(address_of(settings), settings.elasticsearch_seconds)
    try:
        yield client
    finally:
        await client.close()


def _client(address: Address, request_seconds: float) -> "AsyncElasticsearch":
    from elasticsearch import AsyncElasticsearch

    # At INFO it logs each request, and at DEBUG the documents in it.
    for name in ("elastic_transport", "elasticsearch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return AsyncElasticsearch(
        list(address.nodes),
        connections_per_node=CONNECTIONS_PER_NODE,
        request_timeout=request_seconds,
        # A node that can't be reached is passed over once for each other one: every call of ours may be repeated, since
        # writes carry their versions. A status or a silence isn't retried here, but by those who know how urgent it is.
        max_retries=len(address.nodes) - 1,
        retry_on_timeout=False,
        retry_on_status=(),
        **_signed_in(address),
        **_trusting(address),
    )


def _signed_in(address: Address) -> dict[str, Any]:
    match address.credentials:
        case ApiKey(encoded):
            return {"api_key": encoded}
        case Account(user, password):
            return {"basic_auth": (user, password)}
        case None:
            return {}


def _trusting(address: Address) -> dict[str, Any]:
    if address.ca_file is None:
        return {}
    try:
        return {"ssl_context": ssl.create_default_context(cafile=str(address.ca_file))}
    except (OSError, ssl.SSLError):
        raise SettingsInvalid(f"ELASTICSEARCH_CA_FILE holds no certificates in PEM form: {address.ca_file}") from None
