"""Workers write from prompts and test them; what is sealed outlives its key and goes with its tenant."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from tests.integration.prompts.shelf import FIRM, Prompts, details
from tests.integration.serving import World
from tests.system import System

LETTER = {
    "firm": "Hale",
    "client": "Marlow",
    "scope": "the audit of 2026",
    "partner": "Jo Hale",
    "fixed_fee": "1200.00",
}


@pytest.fixture
def mine(system: System, served: World) -> Iterator[Prompts]:
    with served.http(served.another_key(system.tenant_id)) as client:
        yield Prompts(client)


def _ended(system: System, prompts: Prompts, path: str, body: dict[str, Any], state: str = "succeeded") -> Any:
    answer = prompts.http.post(path, json=body)
    assert answer.status_code == 202, answer.text
    job_id = UUID(answer.json()["id"])
    system.await_state(job_id, state)
    return prompts.http.get(f"/api/jobs/{job_id}").json()


def test_a_document_is_written_from_a_shipped_prompt_and_what_it_was_written_with_is_noted(
    system: System, mine: Prompts
) -> None:
    system.start("workers.runtime", "ai")
    command = {
        "title": "Engagement",
        "prompt": {"name": "engagement_letter", "industry": "legal", "subject": "Marlow"},
        "facts": LETTER,
    }

    ended = _ended(system, mine, "/api/ai/generate-document", command)

    headings = [section["heading"] for section in ended["result"]["sections"]]
    assert headings[3:4] == ["Conflicts and privilege"]
    assert (ended["result"]["provenance"]["prompt"], ended["result"]["provenance"]["prompt_version"]) == (
        "engagement_letter",
        2,
    )
    noted = system.read("SELECT name, version, label FROM ai_prompt_exposures WHERE job_id = %s", UUID(ended["id"]))
    assert noted == [("engagement_letter", 2, "production")]
    counted = mine.http.get("/api/prompts/engagement_letter/exposures").json()["exposures"]
    assert counted == [{"version": 2, "label": "production", "jobs": 1, "subjects": 1}]


def test_a_version_that_passes_its_tests_gets_the_label_and_one_that_doesnt_says_why(
    system: System, mine: Prompts
) -> None:
    system.start("workers.runtime", "ai")
    mine.create()
    mine.add(system="Second for {{ firm }}.")
    test = {"variables": FIRM, "contains": ["summary", "never there"], "lacks": ["zyzzyva"]}
    mine.http.put("/api/prompts/letter/tests/summary", json=test)

    failed = _ended(system, mine, "/api/prompts/letter/test", {"version": 2})
    assert (failed["result"]["passed"], failed["result"]["results"][0]["reasons"]) == (
        False,
        ["it lacks 'never there'"],
    )
    assert details(mine.move(2)) == ["doesn't pass summary"]

    mine.http.put("/api/prompts/letter/tests/summary", json={**test, "contains": ["summary"]})
    assert mine.move(2).status_code == 409, "it was changed since"
    mine.http.put("/api/prompts/letter/tests/for-lawyers", json={"variables": {}, "industry": "legal"})
    passed = _ended(system, mine, "/api/prompts/letter/test", {})
    assert passed["result"]["passed"], passed["result"]
    assert mine.move(2).status_code == 200
    runs = mine.http.get("/api/prompts/letter/test-runs").json()["runs"]
    assert [run["passed"] for run in runs] == [True, False]


def test_a_test_whose_variables_dont_fit_fails_and_the_others_are_run(system: System, mine: Prompts) -> None:
    system.start("workers.runtime", "ai")
    mine.create()
    mine.http.put("/api/prompts/letter/tests/a", json={"variables": {"firm": "Hale"}})
    mine.http.put("/api/prompts/letter/tests/b", json={"variables": FIRM})

    ended = _ended(system, mine, "/api/prompts/letter/test", {})

    results = {one["test"]: one for one in ended["result"]["results"]}
    assert results["a"]["reasons"] == ["/facts/client: the prompt needs it, and it isn't given"]
    assert results["b"]["passed"]


def test_versions_and_tests_open_after_their_key_was_rotated(system: System, mine: Prompts) -> None:
    mine.create(system="Sealed for {{ firm }}.")
    mine.http.put("/api/prompts/letter/tests/summary", json={"variables": FIRM, "contains": ["Marlow"]})
    system.start("workers.runtime", "keys")

    rotated = _ended(system, mine, "/api/keys/rotate", {})

    assert rotated["result"]["rows_reencrypted"] >= 2
    assert mine.render().json()["system"] == "Sealed for Hale."
    assert mine.http.get("/api/prompts/letter/tests/summary").json()["contains"] == ["Marlow"]
    mine.add(system="After it for {{ firm }}.")
    assert mine.render(version=2).json()["system"] == "After it for Hale."


def test_an_unpinned_workflow_step_takes_the_version_of_when_it_runs(system: System, mine: Prompts) -> None:
    system.start("workers.runtime", "ai")
    system.start("workers.runtime", "workflow")
    mine.create()
    definition = {
        "StartAt": "Write",
        "States": {
            "Write": {
                "Type": "Task",
                "Resource": "urn:bucatini:job:ai.generate_document",
                "Parameters": {"title": "Letter", "prompt": {"name": "letter"}, "facts": FIRM},
                "End": True,
            }
        },
    }
    _ended(system, mine, "/api/workflow/start", {"definition": definition})

    versions = system.read("SELECT version FROM ai_prompt_exposures")

    assert versions == [(1,)]
