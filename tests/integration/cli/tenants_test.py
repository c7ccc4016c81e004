"""`bucatini tenants` against the real ingress, with the first admin key."""

import re
from pathlib import Path

from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import World


def test_a_tenant_is_made_limited_suspended_resumed_and_erased(world: World, tmp_path: Path) -> None:
    terminal = Terminal(world, world.operator(), tmp_path)
    made = terminal.type("tenants", "create", "acme", "--display-name", "Acme Ltd")
    found = re.fullmatch(r"tenant  (\S+)\nkey     (bct_\S+)\n", made.stdout)
    assert found is not None, made.stderr
    tenant_id, key = found.groups()

    limited = terminal.type("tenants", "limit", "acme", "--webhooks", "10", "--jobs-in-flight", "50").stdout
    assert re.search(r"^webhooks +0 +10 *$", limited, re.MULTILINE), limited
    assert re.search(r"^jobs_in_flight +0 +50 *$", limited, re.MULTILINE)
    default = terminal.type("tenants", "limit", tenant_id, "--webhooks", "default").stdout
    assert re.search(r"^webhooks +0 +50 *$", default, re.MULTILINE), "the other limits stay as they were"
    assert re.search(r"^jobs_in_flight +0 +50 *$", default, re.MULTILINE)

    assert "acme: suspended (unpaid)" in terminal.type("tenants", "suspend", "acme", "--reason", "unpaid").stdout
    assert "suspended" in terminal.type("tenants", "list").stdout
    assert "acme: active" in terminal.type("tenants", "resume", "acme").stdout
    shown = terminal.type("tenants", "show", "acme").stdout
    assert (tenant_id in shown, key in shown) == (True, False)

    assert "is being erased by job" in terminal.type("tenants", "erase", "acme", "--yes").stdout
    assert "acme: erasing" in terminal.type("tenants", "show", tenant_id).stdout
    unknown = terminal.type("tenants", "show", "nobody")
    assert (unknown.returncode != 0, "nobody" in unknown.stderr) == (True, True)
    wrong = terminal.type("tenants", "limit", tenant_id, "--weight", "1000")
    assert (wrong.returncode, "limits.weight" in wrong.stderr) == (2, True)
