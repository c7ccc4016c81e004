"""Labels are moved, split and moved back; tests gate them; jobs keep what they were accepted with."""

from collections import Counter

from tests.integration.prompts.shelf import FIRM, LETTER, Prompts, details, errors
from tests.integration.serving import World

STATUS = {"project": "Atlas", "report_date": "2026-11-30", "status": "green"}


def _variants(prompts: Prompts, label: str = "production") -> list[dict[str, int]]:
    states = prompts.http.get(f"/api/prompts/letter/labels/{label}").json()["states"]
    variants: list[dict[str, int]] = states[0]["variants"]
    return variants


def _three_versions(prompts: Prompts) -> None:
    prompts.create()
    prompts.add(system="Second for {{ firm }}.")
    prompts.add(system="Third for {{ firm }}.")


def test_each_move_is_kept_and_moving_back_is_a_move(prompts: Prompts) -> None:
    _three_versions(prompts)
    for version in (2, 3, 1):
        assert prompts.move(version).status_code == 200
    assert prompts.move(1).status_code == 200

    pages = []
    cursor = None
    while True:
        query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
        page = prompts.http.get("/api/prompts/letter/labels/production/history", params=query).json()
        pages += [move["variants"][0]["version"] for move in page["moves"]]
        if (cursor := page["next_cursor"]) is None:
            break

    assert pages == [1, 3, 2, 1], "moving it to where it is adds nothing"
    assert prompts.version_for() == 1


def test_each_rollback_goes_one_further_back_and_over_what_was_moved_back(prompts: Prompts) -> None:
    _three_versions(prompts)
    for version in (2, 3):
        prompts.move(version)

    went = [prompts.roll_back() for _ in range(3)]
    assert [one.status_code for one in went] == [200, 200, 409]
    assert [one.json()["variants"][0]["version"] for one in went[:2]] == [2, 1]
    assert went[2].json()["type"].endswith("nowhere-to-go-back")
    assert prompts.version_for() == 1

    prompts.move(3)
    assert prompts.roll_back(because="Too long.").json()["because"] == "Too long."
    assert prompts.version_for() == 1
    assert prompts.roll_back().status_code == 409


def test_a_rollback_passes_over_moves_to_the_same_and_ends_where_it_came(prompts: Prompts) -> None:
    ours = prompts.add("status_report")["version"]
    came = prompts.version_for("status_report", STATUS)
    prompts.move(ours, name="status_report")
    prompts.move(came, name="status_report")
    prompts.move(ours, name="status_report")

    assert [prompts.roll_back("status_report").json()["variants"][0]["version"] for _ in range(3)] == [came, ours, came]
    assert prompts.roll_back("status_report").status_code == 409


def test_a_rollback_isnt_made_over_a_move_that_was_not_seen_and_not_of_what_isnt_there(prompts: Prompts) -> None:
    _three_versions(prompts)
    prompts.move(2)
    seen = prompts.http.get("/api/prompts/letter/labels/production").headers["etag"]
    prompts.move(3)

    assert prompts.roll_back(if_match=seen).status_code == 412
    assert prompts.roll_back("nothing").status_code == 404
    assert prompts.roll_back(label="staging").status_code == 409
    assert prompts.roll_back(industry="legal").status_code == 409
    assert prompts.version_for() == 3


def test_a_label_isnt_moved_over_a_move_that_was_not_seen(prompts: Prompts) -> None:
    _three_versions(prompts)
    seen = prompts.http.get("/api/prompts/letter/labels/production").headers["etag"]
    prompts.move(2)

    body = {"variants": [{"version": 3, "percent": 100}]}
    late = prompts.http.put("/api/prompts/letter/labels/production", json=body, headers={"If-Match": seen})

    assert late.status_code == 412
    assert _variants(prompts) == [{"version": 2, "percent": 100}]


def test_bad_moves_are_refused_at_their_places(prompts: Prompts) -> None:
    _three_versions(prompts)
    prompts.add(industry="legal", sections=[{"heading": "Risk", "instruction": "Name risks."}])

    assert errors(prompts.split({1: 50, 9: 50})) == ["/variants/1/version"]
    assert errors(prompts.split({1: 50, 4: 50})) == ["/variants"]
    assert prompts.split({1: 50, 2: 40}).status_code == 422
    assert prompts.move(1, name="nothing").status_code == 404
    assert prompts.move(1, label="Wrong Name").status_code == 422


def test_a_split_label_gives_the_same_subject_the_same_version_and_all_their_shares(prompts: Prompts) -> None:
    _three_versions(prompts)
    prompts.split({2: 30, 1: 70})
    subjects = [f"client {number}" for number in range(60)]

    first = {subject: prompts.version_for(subject=subject) for subject in subjects}
    assert {subject: prompts.version_for(subject=subject) for subject in subjects} == first
    counts = Counter(first.values())
    assert 6 <= counts[2] <= 30, counts

    prompts.split({2: 60, 1: 40})
    later = {subject: prompts.version_for(subject=subject) for subject in subjects}
    assert all(later[subject] == 2 for subject in subjects if first[subject] == 2), "a larger share takes none away"


def test_a_label_moves_only_to_what_passes_the_tests_as_they_are_and_back_at_any_time(
    prompts: Prompts, world: World
) -> None:
    _three_versions(prompts)
    prompts.move(2)
    test = {"variables": FIRM, "contains": ["Marlow"]}
    assert prompts.http.put("/api/prompts/letter/tests/names-the-client", json=test).status_code == 200

    refused = prompts.move(3)
    assert (refused.status_code, errors(refused)) == (409, ["/variants/0/version"])
    assert details(refused) == ["hasn't been tested with the tests as they are now"]
    assert prompts.move(1).status_code == 200, "it pointed there before"
    assert prompts.move(3, label="staging").status_code == 409
    assert prompts.http.delete("/api/prompts/letter/tests/names-the-client").status_code == 204
    assert prompts.move(3).status_code == 200


def test_tests_are_shown_changed_and_removed_and_their_number_is_bounded(prompts: Prompts) -> None:
    prompts.create()
    address = "/api/prompts/letter/tests"
    for number in range(50):
        answer = prompts.http.put(f"{address}/t{number}", json={"variables": FIRM, "lacks": ["sorry"]})
        assert answer.status_code == 200, answer.text

    assert prompts.http.put(f"{address}/one-more", json={"variables": FIRM}).status_code == 409
    assert prompts.http.put(f"{address}/t1", json={"variables": FIRM, "max_characters": 9}).status_code == 200
    assert prompts.http.get(f"{address}/t1").json()["max_characters"] == 9
    assert len(prompts.http.get(address).json()["tests"]) == 50
    assert prompts.http.delete(f"{address}/t1").status_code == 204
    assert prompts.http.get(f"{address}/t1").status_code == 404
    assert prompts.http.post("/api/prompts/letter/test", json={"version": 7}).status_code == 422


def test_running_tests_that_arent_there_says_so(prompts: Prompts) -> None:
    prompts.create()

    assert prompts.http.post("/api/prompts/letter/test", json={}).status_code == 409


def test_a_made_name_isnt_made_again(prompts: Prompts) -> None:
    prompts.create()

    again = prompts.http.post("/api/prompts", json={"name": "letter", "content": LETTER})

    assert (again.status_code, again.json()["type"].rsplit("/", 1)[-1]) == (409, "name-taken")
