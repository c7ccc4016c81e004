"""A job is written from the version that its prompt had when it was accepted, and with facts that fit it."""

from typing import Any

import httpx
import pytest

from tests.integration.prompts.shelf import FIRM, Prompts, errors
from tests.integration.serving import World

GENERATE = "/api/ai/generate-document"


def _command(**fields: Any) -> dict[str, Any]:
    return {"title": "Letter", "prompt": {"name": "letter"}, "facts": FIRM, **fields}


def _prompt_of(world: World, answer: httpx.Response) -> Any:
    assert answer.status_code == 202, answer.text
    row = world.database.execute("SELECT command FROM jobs WHERE id = %s", (answer.json()["id"],)).fetchone()
    assert row is not None
    return row[0]["prompt"]


def test_the_version_is_pinned_with_its_label(prompts: Prompts, world: World) -> None:
    prompts.create()
    first = prompts.http.post(GENERATE, json=_command())
    prompts.add(system="Second for {{ firm }}.")
    prompts.move(2)
    second = prompts.http.post(GENERATE, json=_command())
    third = prompts.http.post(GENERATE, json=_command(prompt={"name": "letter", "version": 1}))

    assert [_prompt_of(world, one)["version"] for one in (first, second, third)] == [1, 2, 1]
    assert _prompt_of(world, first)["label"] == "production"


def test_a_batch_a_replay_and_a_schedule_run_by_hand_are_pinned_too(prompts: Prompts, world: World) -> None:
    prompts.create()
    item = {"kind": "ai.generate_document", "command": _command()}
    wrong = {"kind": "ai.generate_document", "command": _command(prompt={"name": "nothing"})}
    batch = prompts.http.post("/api/jobs/batch", json={"jobs": [item, wrong, item]})
    assert batch.status_code == 202, batch.text
    assert "/jobs/1/command/prompt/name" in batch.text
    rows = world.database.execute(
        "SELECT command FROM jobs WHERE kind = 'ai.generate_document' AND parent_id IS NOT NULL"
    ).fetchall()
    assert [row[0]["prompt"]["version"] for row in rows] == [1, 1]

    schedule = prompts.http.post(
        "/api/schedules",
        json={"name": "nightly", "cron": "@yearly", "kind": "ai.generate_document", "command": _command()},
    )
    assert schedule.status_code == 201, schedule.text
    by_hand = prompts.http.post(f"/api/schedules/{schedule.json()['id']}/run")
    assert _prompt_of(world, by_hand)["version"] == 1


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"prompt": {"name": "nothing"}}, ["/prompt/name"]),
        ({"prompt": {"name": "letter", "version": 9}}, ["/prompt/version"]),
        ({"prompt": {"name": "letter", "label": "staging"}}, ["/prompt/label"]),
        ({"facts": {"firm": "Hale"}}, ["/facts/client"]),
        ({"facts": {"firm": "Hale", "client": "  "}}, ["/facts/client"]),
        ({"facts": {**FIRM, "cleint": "Marlow"}}, ["/facts/cleint"]),
        ({"facts": {"firm": ["Hale"], "client": "Marlow"}}, ["/facts/firm"]),
    ],
)
def test_what_cant_be_pinned_or_filled_is_refused_at_its_place(
    prompts: Prompts, fields: dict[str, Any], pointers: list[str]
) -> None:
    prompts.create()

    answer = prompts.http.post(GENERATE, json=_command(**fields))

    assert (answer.status_code, errors(answer)) == (422, pointers), answer.text


def test_inputs_are_pinned_and_need_the_right_to_read_documents(prompts: Prompts, world: World) -> None:
    prompts.create()
    inputs = [{"id": "price-list"}, {"id": "terms"}]

    assert prompts.http.post(GENERATE, json=_command(inputs=inputs)).status_code == 403
    with world.http(world.tenant()) as all_rights:
        everything = Prompts(all_rights)
        everything.create()
        answer = all_rights.post(GENERATE, json=_command(inputs=inputs))
        assert (answer.status_code, errors(answer)) == (422, ["/inputs/0", "/inputs/1"])


def test_anothers_prompt_cant_be_pinned(prompts: Prompts, others: Prompts) -> None:
    prompts.create()

    answer = others.http.post(GENERATE, json=_command())

    assert (answer.status_code, errors(answer)) == (422, ["/prompt/name"])


def test_template_syntax_in_a_value_does_nothing(prompts: Prompts) -> None:
    prompts.create()

    rendered = prompts.render(variables={"firm": "{{ client }}{% for", "client": "{% include 'x' %}"})

    assert rendered.json()["system"] == "You write letters for {{ client }}{% for."
    assert "{% include 'x' %}" in rendered.json()["sections"][0]["instruction"]


def test_a_template_that_takes_too_much_is_refused_before_it_is_filled(prompts: Prompts) -> None:
    loop = "{% for one in items %}{% for other in items %}{{ firm | upcase | downcase | size }}{% endfor %}{% endfor %}{{ client }}"
    prompts.create(system=loop, variables={"firm": {}, "client": {}, "items": {"type": "list"}})

    answer = prompts.render(variables={"firm": "x" * 10_000, "client": "Marlow", "items": list(range(100))})

    assert answer.status_code == 422
    assert "its filters look at more than" in answer.json()["detail"]
