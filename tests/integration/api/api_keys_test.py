"""API keys: shown once, worth what their scopes name, and worth nothing once revoked."""

from api.auth.authentication import FRESH_SECONDS
from schemas.problems import Problem
from tests.integration.serving import World
from tests.waiting import wait_until

MACHINE_SECONDS = 8.0
"""What a busy machine takes on top."""


def test_a_revoked_key_opens_nothing_at_once_where_it_was_revoked(world: World) -> None:
    owner = world.tenant()
    other = world.another_key(owner.id, "jobs:read")
    with world.http(other) as revoked, world.http(owner) as http:
        assert revoked.get("/api/jobs").status_code == 200
        assert http.delete(f"/api/api-keys/{other.key_id}").status_code == 204
        assert revoked.get("/api/jobs").status_code == 401
        assert http.delete(f"/api/api-keys/{other.key_id}").status_code == 204


def test_a_key_revoked_elsewhere_opens_nothing_within_five_seconds(world: World) -> None:
    owner = world.tenant()
    other = world.another_key(owner.id, "jobs:read")
    with world.http(other) as http:
        assert http.get("/api/jobs").status_code == 200
        world.database.execute("UPDATE api_keys SET revoked_at = now() WHERE id = %s", (other.key_id,))
        within = FRESH_SECONDS + MACHINE_SECONDS
        wait_until(lambda: http.get("/api/jobs").status_code == 401, "the key opens nothing", within_seconds=within)

    assert FRESH_SECONDS < 5


def test_a_new_key_is_shown_once_and_works(world: World) -> None:
    owner = world.tenant()
    with world.http(owner) as http:
        made = http.post("/api/api-keys", json={"name": "billing", "scopes": ["jobs:read"]})
        listed = http.get("/api/api-keys")
        assert made.status_code == 201
        assert made.json()["key"] not in listed.text
        assert [one["name"] for one in listed.json()["keys"]] == ["billing", "test"]
        assert http.get("/api/jobs", headers={"authorization": f"Bearer {made.json()['key']}"}).status_code == 200


def test_the_last_admin_key_stays(world: World) -> None:
    owner = world.tenant()
    second = world.another_key(owner.id)
    with world.http(owner) as http:
        assert http.delete(f"/api/api-keys/{second.key_id}").status_code == 204
        refused = http.delete(f"/api/api-keys/{owner.key_id}")
        assert http.get("/api/jobs").status_code == 200

    assert (refused.status_code, Problem.model_validate_json(refused.content).name) == (409, "last-admin-key")
