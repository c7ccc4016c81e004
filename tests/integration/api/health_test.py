"""What `/readyz` says while a part answers and refuses: it is asked to do what the work asks of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infrastructure.local_stack.servers.loopback import LOOPBACK
from infrastructure.settings import Settings
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.postgres_faults import read_only
from tests.redis_faults import REFUSING, Refusing
from tests.redis_modes import PASSWORD, USUAL, Node
from tests.waiting import wait_until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A Redis of the test's own, which it may reconfigure."""
    running = Node(tmp_path / "redis", USUAL)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def refusable(node: Node, api_settings: Settings) -> Iterator[World]:
    url = SecretStr(f"redis://:{PASSWORD}@{LOOPBACK}:{node.port}/0")
    with World(api_settings.model_copy(update={"redis_url": url})) as world:
        yield world


def _readiness(world: World) -> tuple[int, str, dict[str, str]]:
    with world.http() as http:
        ready = http.get("/readyz")
    told = ready.json()
    return ready.status_code, told["status"], {part["name"]: part["detail"] for part in told["parts"]}


@pytest.mark.parametrize("refusing", REFUSING[:2], ids=lambda one: one.name)
def test_a_redis_that_refuses_is_told_of_and_jobs_are_kept(refusing: Refusing, node: Node, refusable: World) -> None:
    tenant = refusable.tenant()
    wait_until(lambda: _readiness(refusable)[:2] == (200, "ready"), "it is ready")

    refusing.inflict(node)
    wait_until(lambda: refusing.said in _readiness(refusable)[2]["redis"], "it says why")
    assert _readiness(refusable)[:2] == (200, "degraded")
    refusable.submit(tenant)
    refusing.mend(node)

    wait_until(lambda: _readiness(refusable)[:2] == (200, "ready"), "it is ready again")
    assert refusable.stored()["jobs"] == 1


def test_a_postgresql_that_takes_no_writes_is_told_of_and_still_answers_questions(
    world: World, database_url: str
) -> None:
    tenant = world.tenant()
    job_id = world.submit(tenant)
    wait_until(lambda: _readiness(world)[:2] == (200, "ready"), "it is ready")

    with read_only(database_url):
        wait_until(lambda: "takes no writes" in _readiness(world)[2]["postgres"], "it says why")
        with world.http(tenant) as http:
            refused = http.post(PROCESS, json=DOCUMENT)
            answered = http.get(f"/api/jobs/{job_id}")
        status = _readiness(world)[:2]

    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "unavailable")
    assert answered.status_code == 200
    assert status == (200, "degraded")
    wait_until(lambda: _readiness(world)[:2] == (200, "ready"), "it is ready again")
    with world.http(tenant) as http:
        # A connection that nobody has used since is found broken once.
        wait_until(lambda: http.post(PROCESS, json=DOCUMENT).status_code == 202, "it accepts again")
