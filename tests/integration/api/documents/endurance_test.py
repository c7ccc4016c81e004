"""A real ingress under large and many uploads: its memory stays flat, and killing it leaves no half document."""

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx
import psutil
import pytest

from infrastructure.local_stack.supervisor.processes import Running
from tests.integration.api.documents.senders import chunks, head, objects_in, sending, steadily
from tests.integration.serving import Tenant
from tests.system import System
from tests.tenancy import make_key_of
from tests.waiting import GUARD_SECONDS, wait_until

MIB = 1_048_576
LARGE_BYTES, LARGE_SECONDS = 100_000_000, 33.0
"""Longer than a request may take otherwise."""
AT_ONCE, EACH_BYTES = 20, 10_000_000
MAX_GROWTH_BYTES = 60 * MIB
"""Three hundred megabytes pass through it meanwhile."""


class Ingress:
    """`python -m api` in a process of its own."""

    def __init__(self, system: System) -> None:
        self.process: Running = system.begin("api", API_PORT="0")
        self.process.await_ready(lambda: self.process.said("ready: http"), within_seconds=GUARD_SECONDS)
        found = re.search(r"ready: http://127.0.0.1:(\d+)", self.process.program.log.read_text())
        assert found is not None
        self.port = int(found[1])

    @property
    def memory_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)


@pytest.fixture
def tenant(system: System) -> Tenant:
    key = make_key_of(system.settings.database, system.tenant_id, ())
    return Tenant(system.tenant_id, key.id, key.key)


def _upload(ingress: Ingress, tenant: Tenant, content: Iterator[bytes], size_bytes: int, name: str) -> str:
    headers = {**tenant.headers, "content-type": "text/plain", "content-length": str(size_bytes)}
    address = f"http://127.0.0.1:{ingress.port}/api/documents"
    with httpx.Client(headers=headers, timeout=GUARD_SECONDS, trust_env=False) as http:
        answer = http.post(address, params={"id": name}, content=content)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def test_its_memory_stays_flat_while_one_large_and_many_uploads_arrive(system: System, tenant: Tenant) -> None:
    ingress = Ingress(system)
    for number in range(3):
        _upload(ingress, tenant, chunks(EACH_BYTES), EACH_BYTES, f"warm-{number}")
    before = ingress.memory_bytes
    with ThreadPoolExecutor(AT_ONCE + 1) as threads:
        large = threads.submit(_upload, ingress, tenant, steadily(LARGE_BYTES, LARGE_SECONDS), LARGE_BYTES, "large")
        small = [
            threads.submit(_upload, ingress, tenant, steadily(EACH_BYTES, LARGE_SECONDS / 3), EACH_BYTES, f"s-{number}")
            for number in range(AT_ONCE)
        ]
        highest = before

        def sampled() -> bool:
            nonlocal highest
            highest = max(highest, ingress.memory_bytes)
            return all(one.done() for one in (large, *small))

        wait_until(sampled, "all have arrived", within_seconds=3 * GUARD_SECONDS)
        location = large.result()
        assert all(one.result() for one in small)

    print(f"memory grew by {(highest - before) / MIB:.1f} MiB of {before / MIB:.0f} MiB")
    assert highest - before < MAX_GROWTH_BYTES
    _is_read_back(ingress, tenant, location, before)


def _is_read_back(ingress: Ingress, tenant: Tenant, location: str, before: int) -> None:
    sent, received = sha256(), sha256()
    for chunk in chunks(LARGE_BYTES):
        sent.update(chunk)
    address = f"http://127.0.0.1:{ingress.port}{location}/content"
    with httpx.stream("GET", address, headers=tenant.headers, timeout=60, trust_env=False) as answer:
        for chunk in answer.iter_bytes():
            received.update(chunk)

    assert received.digest() == sent.digest()
    assert ingress.memory_bytes - before < MAX_GROWTH_BYTES


def test_killing_it_in_the_middle_of_an_upload_leaves_no_half_document(system: System, tenant: Tenant) -> None:
    ingress = Ingress(system)
    with sending(ingress.port, head(tenant, content_length=str(EACH_BYTES)), b"x" * 3_000_000):
        wait_until(
            lambda: any(file.stat().st_size > MIB for file in objects_in(system.settings)), "it is being written"
        )
        os.kill(ingress.process.pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(ingress.process.pid) or _is_dead(ingress), "it is dead")

    another = Ingress(system)
    with httpx.Client(base_url=f"http://127.0.0.1:{another.port}", headers=tenant.headers, trust_env=False) as http:
        assert http.get("/api/documents").json()["documents"] == []
    assert system.read("SELECT count(*) FROM document_versions") == [(0,)]
    assert system.read("SELECT count(*) FROM jobs") == [(0,)]
    _is_swept(system)


def _is_swept(system: System) -> None:
    """What it had stored of the upload, once it is so old that nobody can be about to accept it."""
    (left,) = objects_in(system.settings)
    os.utime(left, (0, 0))
    system.dispatcher()
    wait_until(lambda: objects_in(system.settings) == [], "the object without an owner is removed")


def _is_dead(ingress: Ingress) -> bool:
    return psutil.Process(ingress.process.pid).status() == psutil.STATUS_ZOMBIE
