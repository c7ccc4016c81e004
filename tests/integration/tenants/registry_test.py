"""An operator makes tenants, lists, limits and changes them; nobody else can, and no tenant can become one."""

import pytest

from schemas.problems import Problem
from schemas.tenants import DEFAULT_LIMITS, Tenant, TenantCreated, TenantPage
from tests.integration.serving import PROCESS, World

DOCUMENT = {"title": "T", "text": "words"}


def test_a_new_tenant_works_by_the_key_that_its_creation_shows_once(world: World) -> None:
    wanted = {"name": "acme", "display_name": "Acme Ltd", "region": "eu-west", "limits": {"webhooks": 2}}
    with world.http(world.operator()) as operator:
        answer = operator.post("/api/tenants", json=wanted)
        made = TenantCreated.model_validate_json(answer.content)
        shown = Tenant.model_validate(operator.get(answer.headers["location"]).json())
        again = operator.post("/api/tenants", json=wanted)
    with world.http() as http:
        stored = http.post(PROCESS, json=DOCUMENT, headers={"authorization": f"Bearer {made.key}"})
        keys = http.get("/api/api-keys", headers={"authorization": f"Bearer {made.key}"}).json()["keys"]

    assert (answer.status_code, stored.status_code) == (201, 202)
    assert (made.name, made.display_name, made.region, made.limits.webhooks) == ("acme", "Acme Ltd", "eu-west", 2)
    assert shown.model_dump() == made.model_dump(exclude={"key"})
    assert [key["scopes"] for key in keys] == [["admin"]]
    assert (again.status_code, Problem.model_validate_json(again.content).name) == (409, "name-taken")
    assert world.database.execute("SELECT tenant_id FROM jobs").fetchall() == [(made.id,)]


@pytest.mark.parametrize(
    "name", ["", "Acme", "-acme", "a_b", "a" * 64, "0199d0de-0000-7000-8000-000000000000", "acme\n"]
)
def test_a_name_that_cant_be_a_hosts_is_refused_with_the_fields_name(world: World, name: str) -> None:
    with world.http(world.operator()) as operator:
        answer = operator.post("/api/tenants", json={"name": name})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]


def test_the_list_has_each_tenant_once_over_its_pages(world: World) -> None:
    operator = world.operator()
    made = {world.tenant().id for _ in range(5)} | {operator.id}
    seen: list[Tenant] = []
    with world.http(operator) as http:
        cursor: str | None = None
        while cursor is not None or not seen:
            params = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
            page = TenantPage.model_validate_json(http.get("/api/tenants", params=params).content)
            seen += page.tenants
            cursor = page.next_cursor
        named = http.get("/api/tenants", params={"name": "default"}).json()["tenants"]

    assert [one.id for one in seen] == sorted(made, reverse=True)
    assert [one.is_operator for one in seen] == [one.id == operator.id for one in seen]
    assert [one["id"] for one in named] == [str(operator.id)]


def test_limits_change_one_by_one_and_null_sets_the_default_again(world: World) -> None:
    operators = world.operator()
    tenant = world.tenant()
    with world.http(operators) as operator:
        here = f"/api/tenants/{tenant.id}"
        operator.patch(here, json={"limits": {"webhooks": 2, "ai_usd_a_day": "1.50", "weight": 3}})
        changed = operator.patch(here, json={"limits": {"webhooks": None, "groups": 0}}).json()["limits"]
        usage = {one["quota"]: one for one in operator.get(f"{here}/usage").json()["quotas"]}

    set_now = {name: value for name, value in changed.items() if value is not None}
    assert set_now == {"ai_usd_a_day": "1.5000", "weight": 3, "groups": 0}
    assert usage["webhooks"]["limit"] == str(DEFAULT_LIMITS.webhooks)
    assert (usage["groups"]["limit"], usage["ai_usd_a_day"]["limit"]) == ("0", "1.5000")


def test_only_the_operators_tenant_has_operators(world: World) -> None:
    """Neither an admin elsewhere, nor a key of another tenant in whose row the scope was written."""
    operator, tenant = world.operator(), world.tenant()
    forged = world.another_key(tenant.id, "admin", "tenants:admin")
    plain = world.another_key(operator.id, "admin")
    for key in (tenant, forged, plain):
        with world.http(key) as http:
            asked = http.get("/api/tenants"), http.post("/api/tenants", json={"name": "mine"})
            wanted = http.post("/api/api-keys", json={"name": "up", "scopes": ["tenants:admin"]})
        assert [answer.status_code for answer in asked] == [403, 403]
        assert wanted.status_code == (201 if key is forged else 403), "and what it makes opens nothing either"
        if key is forged:
            with world.http() as http:
                raised = http.get("/api/tenants", headers={"authorization": f"Bearer {wanted.json()['key']}"})
            assert raised.status_code == 403


@pytest.mark.parametrize("change", [{"state": "suspended"}, None])
def test_the_operators_own_tenant_can_neither_be_suspended_nor_erased(
    world: World, change: dict[str, str] | None
) -> None:
    operator = world.operator()
    with world.http(operator) as http:
        here = f"/api/tenants/{operator.id}"
        answer = http.delete(here) if change is None else http.patch(here, json=change)
        assert http.get(here).json()["state"] == "active"

    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (409, "operator-tenant")


def test_an_operator_sees_counts_and_nothing_of_what_is_counted(world: World) -> None:
    operator, tenant = world.operator(), world.tenant()
    world.submit(tenant, title="Zyzzyva4711")
    with world.http(operator) as http:
        shown = [http.get(f"/api/tenants/{tenant.id}{more}") for more in ("", "/usage")]
        usage = {one["quota"]: one["used"] for one in shown[1].json()["quotas"]}

    assert (usage["queued_jobs"], shown[1].json()["jobs_by_state"]) == ("1", {"queued": 1})
    assert usage["requests_per_minute"] == "1"
    assert "Zyzzyva4711" not in "".join(answer.text for answer in shown)
