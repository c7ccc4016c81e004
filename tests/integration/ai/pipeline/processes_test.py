"""Processes that ask the same share one call, whatever becomes of the one that makes it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from infrastructure.settings import Settings
from tests.simulated_providers import SimulatedProviders
from tests.tenancy import make_tenant
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
LEASE_SECONDS = 5.0


@pytest.fixture
def tenant_id(settings: Settings) -> UUID:
    return make_tenant(settings.database)


@contextmanager
def asking(settings: Settings, tenant_id: UUID, count: int, *texts: str) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes, each with a pipeline, which ask as soon as their input says so."""
    assert settings.redis_url is not None
    assert settings.openai_api_key is not None
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": settings.database,
        "REDIS_URL": settings.redis,
        "BUCATINI_HOME": str(settings.bucatini_home),
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        "OPENAI_API_KEY": settings.openai_api_key.get_secret_value(),
        "AI_MODELS": ",".join(settings.ai_models),
    }
    command = [sys.executable, "-m", "tests.asking", str(tenant_id), *texts]
    running = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(count)
    ]
    try:
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        yield running
    finally:
        for one in running:
            one.kill()
            one.communicate()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: "subprocess.Popen[str]") -> list[dict[str, str]]:
    assert process.stdout is not None
    replies: list[dict[str, str]] = json.loads(process.stdout.readline())
    return replies


def test_processes_that_ask_the_same_share_one_call(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "slow", seconds=2.0)
    with asking(settings, tenant_id, 3, "What is said?") as processes:
        for one in processes:
            go(one)
        replies = [reply for one in processes for reply in said(one)]

    assert len({reply["text"] for reply in replies}) == 1
    assert sorted(reply["cache"] for reply in replies) == ["hit", "hit", "miss"]
    assert len(simulator.ended(key)) == 1


def test_another_asks_when_the_process_that_asked_for_all_is_killed(
    settings: Settings, tenant_id: UUID, simulator: SimulatedProviders, key: SecretStr
) -> None:
    simulator.fault(key, "hang")
    with asking(settings, tenant_id, 2, "What is said?") as (leader, follower):
        go(leader)
        wait_until(lambda: simulator.attempts(key), "the leader asks")
        go(follower)
        os.kill(leader.pid, signal.SIGKILL)
        (reply,) = said(follower)

    assert reply["cache"] == "miss"
    assert len(simulator.ended(key)) == 2
