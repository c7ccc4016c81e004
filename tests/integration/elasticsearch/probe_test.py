"""Whoever asks whether the product is ready learns how Elasticsearch is, and what to do."""

import asyncio
from typing import Any

import pytest

from infrastructure.elasticsearch.probe import probe
from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from schemas.health import Condition, PartState
from tests.elasticsearch.engine import ask, client_of
from tests.elasticsearch.wire import answering, silent

BLOCKED = "index.blocks.read_only_allow_delete"


def _found(url: str) -> Condition:
    async def look() -> Condition:
        async with client_of(url) as client:
            return await probe(client)

    return asyncio.run(look())


def test_a_server_that_works_is_ready_and_one_with_full_disks_says_so(
    elasticsearch_url: str, elasticsearch_app: str
) -> None:
    assert _found(elasticsearch_url) == Condition()
    ask(elasticsearch_url, "PUT", f"/{elasticsearch_app}-full", {"settings": {BLOCKED: True}})
    try:
        found = _found(elasticsearch_url)
    finally:
        ask(elasticsearch_url, "PUT", f"/{elasticsearch_app}-full/_settings", {BLOCKED: None})

    assert found.state is PartState.DEGRADED
    assert "a disk is nearly full" in found.reason


@pytest.mark.parametrize(
    ("status", "body", "state", "told"),
    [
        (429, {"error": {"type": "es_rejected_execution_exception"}}, PartState.DEGRADED, "has too much to do"),
        (200, {"version": {"number": "8.19.0"}, "status": "green"}, PartState.DEGRADED, "no Elasticsearch 9"),
        (503, {"error": {"type": "master_not_discovered_exception"}}, PartState.FAILED, "has no master"),
    ],
)
def test_a_server_that_refuses_or_is_another_is_named(status: int, body: Any, state: PartState, told: str) -> None:
    with answering(status, body) as url:
        found = _found(url)

    assert (found.state, told in found.reason) == (state, True), found


def test_a_server_that_is_away_or_silent_has_failed() -> None:
    assert _found(f"http://{LOOPBACK}:{free_port()}").state is PartState.FAILED
    with silent() as url:
        assert _found(url).state is PartState.FAILED
