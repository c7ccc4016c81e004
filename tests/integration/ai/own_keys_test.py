"""A tenant sets, sees traces of, and removes its own keys of providers; nobody reads one again."""

import logging

import pytest

from producers.client import Bucatini
from schemas.problems import Problem
from tests.integration.serving import World
from tests.waiting import wait_until

PATH = "/api/ai/credentials"
KEY = "sk-test-0123456789abcdefWXYZ"


def test_a_key_is_set_replaced_shown_by_its_end_and_removed(world: World) -> None:
    tenant = world.tenant()
    with world.http(tenant) as http:
        first = http.put(f"{PATH}/openai", json={"key": KEY})
        replaced = http.put(f"{PATH}/openai", json={"key": f"{KEY}2"})
        shown = http.get(f"{PATH}/openai")
        listed = http.get(PATH)
        removed = http.delete(f"{PATH}/openai")
        gone = http.delete(f"{PATH}/openai"), http.get(f"{PATH}/openai")

    assert (first.status_code, first.json()["hint"], replaced.json()["hint"]) == (200, "WXYZ", "XYZ2")
    assert shown.json() == replaced.json() == listed.json()["credentials"][0]
    assert shown.json()["updated_by"] == f"key {tenant.key_id}"
    assert not [answer for answer in (first, replaced, shown, listed) if KEY[:-4] in answer.text]
    assert [removed.status_code, *(answer.status_code for answer in gone)] == [204, 404, 404]


def test_an_unknown_provider_is_told_which_are_known(world: World) -> None:
    with world.http(world.tenant()) as http:
        unknown = http.put(f"{PATH}/gemini", json={"key": KEY})
        keyless = http.put(f"{PATH}/offline", json={"key": KEY})

    assert (unknown.status_code, keyless.status_code) == (404, 404)
    problem = Problem.model_validate_json(unknown.content)
    assert problem.name == "no-such-provider"
    assert "anthropic" in problem.detail
    assert "openai" in problem.detail
    assert "offline" not in problem.detail


@pytest.mark.parametrize("key", ["", "with a space", "two\nlines", "naïve", "x" * 1_001])
def test_what_cant_be_a_key_is_refused_without_repeating_it(world: World, key: str) -> None:
    with world.http(world.tenant()) as http:
        answer = http.put(f"{PATH}/openai", json={"key": key})

    assert answer.status_code == 422
    assert [error.pointer for error in Problem.model_validate_json(answer.content).errors] == ["/key"]
    assert key == "" or key not in answer.text


def test_a_key_is_neither_in_the_database_nor_in_the_logs(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tenant = world.tenant()
    with world.http(tenant) as http:
        http.put(f"{PATH}/anthropic", json={"key": KEY})

    row = world.database.execute("SELECT key, hint, updated_by FROM ai_credentials").fetchone()
    assert KEY[:-4] not in str(row)
    assert KEY[:-4].encode() not in (row or (b"",))[0]
    said = wait_until(lambda: [one for one in caplog.messages if "own key of anthropic" in one], "it is logged")
    assert tenant.key_id in said[0]
    assert KEY[:-4] not in caplog.text


def test_changing_keys_and_seeing_their_traces_need_different_scopes(world: World) -> None:
    owner = world.tenant("ai:write")
    reader, stranger = world.another_key(owner.id, "ai:read"), world.tenant()
    with world.http(owner) as own, world.http(reader) as reading, world.http(stranger) as others:
        assert own.put(f"{PATH}/openai", json={"key": KEY}).status_code == 200
        answers = [
            own.get(PATH),
            reading.put(f"{PATH}/openai", json={"key": KEY}),
            reading.delete(f"{PATH}/openai"),
            others.delete(f"{PATH}/openai"),
        ]
        seen, seen_by_others = reading.get(PATH).json(), others.get(PATH).json()

    assert [answer.status_code for answer in answers] == [403, 403, 403, 404]
    assert (len(seen["credentials"]), seen_by_others["credentials"]) == (1, [])


def test_the_client_sets_and_removes_keys(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as bucatini:
        stored = bucatini.ai.credentials.set("openai", KEY)
        listed, one = bucatini.ai.credentials.list(), bucatini.ai.credentials.get("openai")
        bucatini.ai.credentials.remove("openai")
        left = bucatini.ai.credentials.list()

    assert (listed, one, left) == ((stored,), stored, ())
