"""`bucatini ai` against the real ingress."""

import json
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from tests.integration.cli.jobs_test import Terminal
from tests.integration.serving import Tenant, World

KEY = "sk-test-0123456789abcdefWXYZ"
CALL = (
    "INSERT INTO ai_service_requests (id, tenant_id, purpose, provider, model, lane, own_key, outcome, ended_at, priced, "
    "cost_usd, shadow_usd, input_tokens, output_tokens) "
    "VALUES (%s, %s, 'plan', 'openai', %s, 'realtime', false, 'succeeded', now(), true, %s, %s, 100, 20)"
)


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
def terminal(world: World, tenant: Tenant, tmp_path: Path) -> Terminal:
    return Terminal(world, tenant, tmp_path)


def test_usage_is_shown_to_people_programs_and_spreadsheets(world: World, tenant: Tenant, terminal: Terminal) -> None:
    for model, cost in (("gpt-one", "0.25"), ("gpt-two", "0.5")):
        world.database.execute(CALL, (uuid7(), tenant.id, model, cost, "1"))

    table = terminal.type("ai", "usage", "--by", "model")
    table_of_days = terminal.type("ai", "usage", "--since", "2026-11-01")
    report = terminal.type("ai", "usage", "--by", "model", "-o", "json")
    lines = terminal.type("ai", "usage", "--by", "model", "-o", "jsonl")
    csv = terminal.type("ai", "usage", "--by", "model", "--csv")

    assert table.returncode == 0, table.stderr
    assert "gpt-one" in table.stdout
    assert "2 calls, 0 more answered without one: $0.75; 62.5 % saved" in table.stderr
    assert len(table_of_days.stdout.splitlines()) == 2
    assert json.loads(report.stdout)["total"]["cost_usd"] == "0.75"
    assert [json.loads(line)["cost_usd"] for line in lines.stdout.splitlines()] == ["0.25", "0.5"]
    assert csv.stdout.splitlines()[1] == "openai,gpt-one,1,0,0,0,100,20,0,0.25,1"


@pytest.mark.parametrize(("words", "said"), [(("--by", "weather"), "/query/by"), (("--since", "soon"), "is no time")])
def test_what_cant_be_shown_says_why(terminal: Terminal, words: tuple[str, ...], said: str) -> None:
    refused = terminal.type("ai", "usage", *words)

    assert refused.returncode != 0
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_key_is_read_from_stdin_and_never_printed(terminal: Terminal) -> None:
    stored = terminal.type("ai", "credentials", "set", "openai", stdin=f"{KEY}\n")
    listed = terminal.type("ai", "credentials", "list")
    removed = terminal.type("ai", "credentials", "remove", "openai")
    left = terminal.type("ai", "credentials", "list")
    none = terminal.type("ai", "credentials", "set", "openai", stdin="\n")
    in_words = terminal.type("ai", "credentials", "set", "openai", KEY)

    assert stored.returncode == 0, stored.stderr
    assert "WXYZ" in listed.stdout
    assert KEY[:-4] not in stored.stdout + stored.stderr + listed.stdout
    assert (removed.returncode, "deployment's" in left.stdout) == (0, True)
    assert (none.returncode, in_words.returncode) == (2, 2)


def test_providers_are_shown_with_what_keeps_them_from_being_used(terminal: Terminal) -> None:
    table = terminal.type("ai", "providers")
    whole = terminal.type("ai", "providers", "-o", "json")

    assert table.returncode == 0, table.stderr
    assert "gpt-6-luna" in table.stdout
    assert "closed" in table.stdout
    assert "OPENAI_API_KEY" in table.stderr
    assert {one["provider"] for one in json.loads(whole.stdout)["providers"]} >= {"openai", "anthropic", "offline"}
