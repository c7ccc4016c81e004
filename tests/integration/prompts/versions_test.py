"""Versions of prompts never change; overlays change a base; shipped prompts are everybody's."""

from concurrent.futures import ThreadPoolExecutor

from tests.integration.prompts.shelf import FIRM, LETTER, Prompts, details, errors
from tests.integration.serving import World


def test_a_made_prompt_can_be_read_listed_and_filled(prompts: Prompts) -> None:
    made = prompts.create()

    assert made["version"] == 1
    shown = prompts.http.get("/api/prompts/letter").json()
    assert (shown["newest_version"], shown["shipped"]) == (1, False)
    assert prompts.http.get("/api/prompts/letter/versions/1").json()["content"]["system"] == LETTER["system"]
    assert "letter" in [one["name"] for one in prompts.http.get("/api/prompts").json()["prompts"]]
    rendered = prompts.render().json()
    assert rendered["system"] == "You write letters for Hale."
    assert rendered["sections"] == [{"heading": "Summary", "instruction": "Say what Marlow should know first."}]


def test_versions_are_numbered_in_turn_and_a_label_stays_until_it_is_moved(prompts: Prompts) -> None:
    prompts.create()

    added = prompts.add(system="Write for {{ firm }}, to {{ client }}.")

    assert added["version"] == 2
    assert prompts.version_for() == 1
    assert prompts.move(2).status_code == 200
    assert prompts.version_for() == 2
    numbers = [one["version"] for one in prompts.http.get("/api/prompts/letter/versions").json()["versions"]]
    assert numbers == [2, 1]


def test_what_says_the_same_as_the_newest_version_is_that_version(prompts: Prompts) -> None:
    prompts.create()

    again = prompts.http.post("/api/prompts/letter/versions", json={"content": LETTER})

    assert (again.status_code, again.json()["version"]) == (200, 1)


def test_writers_at_the_same_time_get_a_version_each(prompts: Prompts) -> None:
    prompts.create()

    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda number: prompts.add(system=f"{number} for {{{{ firm }}}}."), range(8))
        numbers = sorted(one["version"] for one in made)

    assert numbers == list(range(2, 10))


def test_whoever_read_an_older_version_is_told_before_a_new_one_is_added(prompts: Prompts) -> None:
    prompts.create()
    etag = prompts.http.get("/api/prompts/letter").headers["etag"]
    prompts.add(system="New for {{ firm }}.")

    late = prompts.http.post("/api/prompts/letter/versions", json={"content": LETTER}, headers={"If-Match": etag})

    assert (late.status_code, late.headers["etag"]) == (412, '"2"')


def test_an_overlay_gives_only_what_it_changes(prompts: Prompts) -> None:
    two = [*LETTER["sections"], {"key": "steps", "heading": "Steps", "instruction": "List steps."}]
    prompts.create(sections=two)
    changed = {"key": "summary", "heading": "Deadlines", "instruction": "Name what {{ court }} set for {{ client }}."}
    new = {"key": "risk", "after": "summary", "heading": "Risk", "instruction": "Name risks."}
    overlay = prompts.add(industry="legal", sections=[changed, new], without=["steps"], variables={"court": {}})

    assert (overlay["version"], overlay["industry"], overlay["base"]) == (2, "legal", 1)
    assert prompts.move(2).json()["industry"] == "legal"
    legal = prompts.render(industry="legal", variables={**FIRM, "court": "the court"}).json()
    assert legal["version"] == 2
    assert [one["heading"] for one in legal["sections"]] == ["Deadlines", "Risk"]
    assert legal["system"] == "You write letters for Hale."
    assert prompts.version_for() == 1
    assert prompts.version_for(industry="tech") == 1, "without an overlay the base is taken"


def test_an_overlay_keeps_the_base_that_it_was_made_of(prompts: Prompts) -> None:
    prompts.create()
    prompts.add(industry="legal", sections=[{"heading": "Risk", "instruction": "Name risks of {{ client }}."}])
    prompts.move(2)
    prompts.add(system="Another for {{ firm }}.")
    prompts.move(3)

    assert prompts.render(industry="legal").json()["system"] == "You write letters for Hale."
    assert prompts.render().json()["system"] == "Another for Hale."


def test_a_name_that_isnt_declared_or_a_variable_that_isnt_used_is_refused_at_its_place(prompts: Prompts) -> None:
    content = {**LETTER, "system": "For {{ frim }}.\n{% if a %}{% endif %}", "variables": {"firm": {}, "client": {}}}

    answer = prompts.http.post("/api/prompts", json={"name": "letter", "content": content})

    assert answer.status_code == 422
    assert errors(answer) == ["/content/system", "/content/system", "/content/variables/firm"]
    assert details(answer)[0] == "line 1, {{ frim }}: `frim` isn't declared"
    assert prompts.http.get("/api/prompts/letter").status_code == 404


def test_hostile_templates_are_refused_when_they_are_sent(prompts: Prompts) -> None:
    for template in (
        "{% include 'secrets' %}",
        "{{ (1..1000000000) | join }}",
        "{{ firm | replace: 'a', firm }}",
        "{% if firm %}" * 40 + "{% endif %}" * 40,
        "{{ firm" + "[firm" * 5_000 + "]" * 5_000 + " }}",
        "{% for",
    ):
        content = {**LETTER, "system": template}
        answer = prompts.http.post("/api/prompts", json={"name": "letter", "content": content})
        assert (answer.status_code, errors(answer)) == (422, ["/content/system"]), template[:30]


def test_every_tenant_has_the_shipped_prompts_and_their_overlays(prompts: Prompts) -> None:
    names = [one["name"] for one in prompts.http.get("/api/prompts").json()["prompts"]]

    assert names == ["engagement_letter", "mutual_nda", "service_proposal", "status_report"]
    facts = {"project": "Atlas", "report_date": "2026-11-30", "status": "green"}
    versions = [
        prompts.version_for("status_report", facts, industry=one) for one in (None, "legal", "tech", "consulting")
    ]
    assert versions == [1, 2, 3, 4]


def test_a_tenants_own_prompt_goes_before_a_shipped_one_which_keeps_its_versions(
    prompts: Prompts, others: Prompts
) -> None:
    made = prompts.create("status_report")

    assert made["version"] == 5
    assert prompts.version_for("status_report") == 5
    assert prompts.version_for("status_report", industry="legal") == 5
    facts = {"project": "Atlas", "report_date": "2026-11-30", "status": "green"}
    assert prompts.version_for("status_report", facts, version=1) == 1
    assert others.version_for("status_report", facts) == 1


def test_a_shipped_prompt_takes_an_overlay_of_the_tenants_own(prompts: Prompts) -> None:
    added = prompts.add("mutual_nda", industry="legal", sections=[{"heading": "Seat", "instruction": "Name the seat."}])

    assert (added["version"], added["base"]) == (5, 1)
    assert prompts.move(5, name="mutual_nda").status_code == 200
    facts = {
        "first_party": "A",
        "second_party": "B",
        "effective_date": "2026-01-01",
        "purpose": "p",
        "term_years": 2,
        "governing_law": "Utopia",
    }
    assert prompts.version_for("mutual_nda", facts, industry="legal") == 5
    assert prompts.version_for("mutual_nda", facts) == 1


def test_two_versions_are_compared_by_what_they_say_in_whole(prompts: Prompts) -> None:
    prompts.create()
    prompts.add(system="Another for {{ firm }}.")

    changes = prompts.http.get("/api/prompts/letter/versions/1/diff", params={"to": 2}).json()["changes"]

    assert changes == [
        {"pointer": "/system", "before": "You write letters for {{ firm }}.", "after": "Another for {{ firm }}."}
    ]


def test_nothing_of_a_tenants_prompts_is_anothers(prompts: Prompts, others: Prompts) -> None:
    prompts.create()

    for path in ("", "/versions", "/versions/1", "/labels/production", "/tests", "/test-runs"):
        assert others.http.get(f"/api/prompts/letter{path}").status_code == 404
    assert others.render().status_code == 404
    assert others.move(1).status_code == 404
    assert others.create()["version"] == 1


def test_what_a_prompt_says_is_sealed_in_the_database(prompts: Prompts, world: World) -> None:
    prompts.create(system="Zyzzyva for {{ firm }}.")

    rows = world.database.execute("SELECT v::text FROM ai_prompt_versions v").fetchall()

    assert len(rows) == 1
    assert b"Zyzzyva".hex() not in rows[0][0]


def test_prompts_need_their_scopes(world: World) -> None:
    with world.http(world.tenant("jobs:write")) as client:
        assert client.get("/api/prompts").status_code == 403
    with world.http(world.tenant("ai:read")) as client:
        assert client.get("/api/prompts").status_code == 200
        body = {"name": "letter", "content": LETTER}
        assert client.post("/api/prompts", json=body).status_code == 403
