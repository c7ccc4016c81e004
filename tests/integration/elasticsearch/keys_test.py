"""Where the server has security on, each tenant is served with a key that sees its own indexes alone."""

from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from infrastructure.elasticsearch.setup import set_up
from infrastructure.postgres.search.credentials import StoredSearchKeys
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from infrastructure.wiring import keyring
from schemas.search import SearchQuery
from tests.contracts.search.searching import batches, document
from tests.elasticsearch.cluster import elasticsearch_cluster
from tests.elasticsearch.distribution import Distribution
from tests.elasticsearch.engine import client_of, elasticsearch_engine
from tests.elasticsearch.node import ADMIN, PASSWORD

pytestmark = pytest.mark.anyio
ACME, ACME_EU = UUID(int=1), UUID(int=2)
APP, WORKERS, INGRESS = "bucatini", "bucatini_indexing", "bucatini_search"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_with_the_roles_that_are_given_a_tenants_key_reads_and_writes_its_own_index_and_ends_with_it(
    elasticsearch_distribution: Distribution,
    elasticsearch_folder: Path,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
) -> None:
    settings = Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), bucatini_home=tmp_path)
    roles = (files("infrastructure.elasticsearch") / "configuration" / "roles.yml").read_text(encoding="utf-8")
    with elasticsearch_cluster(
        elasticsearch_folder, elasticsearch_distribution, secured=True, files={"roles.yml": roles}
    ) as cluster:
        (node,) = cluster.nodes
        for role in (WORKERS, INGRESS):
            assert node.call("PUT", f"/_security/user/{role}", {"password": PASSWORD, "roles": [role]}).is_success
        async with client_of(cluster.urls, account=(ADMIN, PASSWORD)) as client:
            await set_up(client, APP)
        async with keyring(settings) as sealer, TenantPool(database_url, "keys") as pool:
            keys = StoredSearchKeys(pool, sealer)
            async with elasticsearch_engine(
                cluster.urls, APP, database_url, redis_url, keys=keys, account=(WORKERS, PASSWORD)
            ) as engine:
                for tenant_id in (ACME, ACME_EU):
                    await engine.rebuild(tenant_id, batches(document("a", "word")))
                    await engine.index(tenant_id, document("b", "word"))
                    assert (await engine.search(tenant_id, SearchQuery())).results.total == 2
                async with elasticsearch_engine(
                    cluster.urls, APP, database_url, redis_url, keys=keys, account=(INGRESS, PASSWORD)
                ) as asking:
                    assert (await asking.search(ACME, SearchQuery())).results.total == 2
                own, other = [(await engine.states(tenant_id))[0].name for tenant_id in (ACME, ACME_EU)]
                key = await keys.of(ACME)
                assert key is not None
                assert key.encode() not in _stored(database_url)
                (index,), (foreign,) = (node.call("GET", f"/{name}-*").json() for name in (own, other))

                assert node.call("GET", f"/{index}/_count", api_key=key).json()["count"] == 2
                for method, path in (
                    ("GET", f"/{foreign}/_search"),
                    ("GET", f"/{foreign}/_doc/a"),
                    ("PUT", f"/{foreign}/_doc/c"),
                    ("DELETE", f"/{index}"),
                    ("GET", "/_security/api_key?owner=false"),
                ):
                    body: Any = {} if method == "PUT" else None
                    assert node.call(method, path, body, api_key=key).status_code == httpx.codes.FORBIDDEN

                await engine.remove(ACME)

                assert node.call("GET", f"/{foreign}/_count", api_key=key).status_code == httpx.codes.UNAUTHORIZED
                assert await keys.of(ACME) is None
                assert (await engine.search(ACME_EU, SearchQuery())).results.total == 2


def _stored(database_url: str) -> bytes:
    with psycopg.connect(database_url) as connection:
        return b"".join(bytes(row[0]) for row in connection.execute("SELECT key FROM search_credentials"))
