"""WebSockets that take too many places, or take too little of what they are told."""

import json
import logging
import socket
import struct
from contextlib import ExitStack, closing

import pytest
from websockets.exceptions import InvalidStatus

from infrastructure.settings import Settings
from tests.integration.event_streams import await_subscriptions, many_events, metric
from tests.integration.serving import Tenant, World
from tests.integration.websockets import Watcher, frame, unread, watcher
from tests.waiting import wait_until


def test_neither_a_key_nor_a_tenant_nor_strangers_take_every_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, most in (("UNAUTHENTICATED", 2), ("OF_A_KEY", 2), ("OF_A_TENANT", 3), ("SOCKETS", 6)):
        monkeypatch.setattr(f"api.streams.websocket_limits.MAX_{name}", most)
    tenant = world.tenant()
    other = world.another_key(tenant.id, "jobs:read")
    with ExitStack() as open_:

        def more(of: Tenant | None) -> Watcher:
            return open_.enter_context(watcher(world, of))

        mine = [more(tenant), more(tenant)]
        assert _refused(world, tenant) == (429, "too-many-websockets"), "of the key"
        more(other)
        assert _refused(world, other) == (429, "too-many-websockets"), "of the tenant"
        more(None)
        late = more(None)
        assert _refused(world, None) == (503, "overloaded"), "of those whom nobody knows"
        late.say(authenticate=tenant.key)
        assert late.closed()[0] == 4429, "it says whose it is, and that one has all it may"
        stranger = more(world.tenant())
        stranger.say(ping="")
        assert stranger.hear() == {"pong": ""}
        mine[0].close()
        wait_until(lambda: _refused(world, tenant) is None, "a place that was left is free")


def test_a_watcher_who_leaves_or_reads_too_slowly_is_no_error(
    api_settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five answer no ping and leave a little unread until the server ends them, five vanish in mid-sentence, and one says
    what isn't UTF-8: with events on their way to all of them."""
    monkeypatch.setattr("api.__main__.PING_SECONDS", 3.0)
    before = metric("bucatini_sockets")
    with World(api_settings) as world, caplog.at_level(logging.WARNING), ExitStack() as watchers:
        tenant = world.tenant()
        job_id = world.submit(tenant)
        slow = [watchers.enter_context(closing(unread(world, tenant))) for _ in range(5)]
        leaving = [watchers.enter_context(closing(unread(world, tenant))) for _ in range(6)]
        for connection in (*slow, *leaving):
            connection.sendall(frame({"subscribe": {"types": "*"}}))
        await_subscriptions(11)
        world.shrink_send_buffers()

        def a_little_is_unread() -> bool:
            many_events(world, tenant, job_id, 5, data="x" * 2_000)
            return len(world.unread_bytes()) == 11 and min(world.unread_bytes()) > 0

        wait_until(a_little_is_unread, "the kernel takes no more for them")
        leaving.pop().sendall(b"\x81\x81\x00\x00\x00\x00\xff")
        for connection in leaving:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        wait_until(lambda: world.closing_sockets() >= 5, "their time to answer is up")
        many_events(world, tenant, job_id, 5)
        wait_until(lambda: metric("bucatini_sockets") == before, "all are gone")

    assert [one.getMessage() for one in caplog.records if not one.name.startswith("websockets")] == []


def _refused(world: World, tenant: Tenant | None) -> tuple[int, str] | None:
    """What another connection is answered; None when it gets a place."""
    try:
        with watcher(world, tenant):
            return None
    except InvalidStatus as refused:
        problem = json.loads(refused.response.body)
        return refused.response.status_code, problem["type"].rpartition("/")[2]
