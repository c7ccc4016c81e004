"""A tenant that a provider's token names for the first time is made, where the deployment says so; nothing else is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from infrastructure.settings import Settings
from tests.integration.api.oidc_provider import AUDIENCE, Provider
from tests.integration.serving import PROCESS, World

DOCUMENT = {"title": "T", "text": "words"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def provisioning(api_settings: Settings, provider: Provider) -> Iterator[World]:
    named = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE, "oidc_jwks_url": f"{provider.issuer}/keys"}
    with World(api_settings.model_copy(update={**named, "oidc_provision_tenants": True})) as world:
        yield world


def test_a_name_seen_for_the_first_time_becomes_one_tenant_however_many_see_it(
    provisioning: World, provider: Provider
) -> None:
    headers = {"authorization": f"Bearer {provider.token(tenant='acme')}"}
    with provisioning.http() as http, ThreadPoolExecutor(8) as threads:
        statuses = list(
            threads.map(lambda _: http.post(PROCESS, json=DOCUMENT, headers=headers).status_code, range(16))
        )

    assert statuses == [202] * 16
    made = provisioning.database.execute("SELECT id, name, state, is_operator FROM tenants").fetchall()
    assert [row[1:] for row in made] == [("acme", "active", False)]
    assert provisioning.database.execute("SELECT DISTINCT tenant_id FROM jobs").fetchall() == [(made[0][0],)]


@pytest.mark.parametrize(
    "named", ["Not A Slug", "0199d0de-0000-7000-8000-000000000000", "x" * 64, "", "a\nb", 7, None, ["acme"]]
)
def test_a_claim_that_cant_be_a_name_makes_none(provisioning: World, provider: Provider, named: object) -> None:
    with provisioning.http() as http:
        answer = http.get("/api/jobs", headers={"authorization": f"Bearer {provider.token(tenant=named)}"})

    assert answer.status_code == 401
    assert provisioning.database.execute("SELECT count(*) FROM tenants").fetchall() == [(0,)]


def test_a_token_of_another_tenant_never_works_the_tenants_whatever_it_claims(
    provisioning: World, provider: Provider
) -> None:
    token = provider.token(tenant="acme", scope="admin tenants:admin")
    with provisioning.http() as http:
        headers = {"authorization": f"Bearer {token}"}
        assert http.get("/api/api-keys", headers=headers).status_code == 200
        assert http.get("/api/tenants", headers=headers).status_code == 403
