"""`bucatini webhooks` and `bucatini groups` against the real ingress."""

import json
import re
from pathlib import Path

import pytest

from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import World


@pytest.fixture
def terminal(world: World, tmp_path: Path) -> Terminal:
    return Terminal(world, world.tenant(), tmp_path)


def test_a_webhook_is_made_paused_tried_and_repeated(terminal: Terminal) -> None:
    made = terminal.type("webhooks", "create", "https://8.8.8.8/hook", "--type", "ai.*", "--type", "job.failed")
    found = re.fullmatch(r"webhook (\S+)\nsecret  (whsec_\S+)\n", made.stdout)
    assert found is not None, made.stderr
    webhook_id, secret = found.groups()

    assert terminal.type("webhooks", "pause", webhook_id).stdout == f"webhook {webhook_id} is paused (owner)\n"
    listed = terminal.type("webhooks", "list", "--output", "jsonl").stdout
    assert (json.loads(listed)["types"], secret in listed) == (["ai.*", "job.failed"], False)
    terminal.type("webhooks", "test", webhook_id)
    assert "webhooks.tested" in terminal.type("webhooks", "deliveries", webhook_id).stdout
    refused = terminal.type("webhooks", "create", "https://169.254.169.254/latest")
    assert (refused.returncode, "/url leads to an address that isn't public" in refused.stderr) == (1, True)
    again = terminal.type("webhooks", "redeliver", webhook_id, "--failed-since", "2026-01-01")
    assert again.stdout == "0 deliveries will be sent again\n"


def test_groups_are_listed_with_what_they_hold(world: World, tmp_path: Path) -> None:
    tenant = world.tenant()
    terminal = Terminal(world, tenant, tmp_path)
    with world.http(tenant) as http:
        http.put("/api/groups/billing", json={"types": ["job.*"]})
        world.submit(tenant)
        http.post("/api/groups/billing/take", json={})

    shown = json.loads(terminal.type("groups", "list", "--output", "jsonl").stdout)
    assert (shown["name"], shown["held"], shown["leased"]) == ("billing", 1, 1)
