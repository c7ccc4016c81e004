"""The console as people use it: the real page in a real browser, on a real ingress and real workers."""

from pathlib import Path

from tests.browser import Browser
from tests.integration.console.opening import CONTRAST, console
from tests.integration.jobs.failing_jobs import fail
from tests.integration.jobs.novel import Write, novel_in
from tests.integration.serving import DOCUMENT, PROCESS, World
from tests.probe import LeaveMark, Misbehave
from tests.system import System
from tests.waiting import wait_until

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
BUTTONS = "[...document.querySelectorAll('main button')].filter(one => one.checkVisibility()).map(one => one.innerText)"


def test_jobs_are_listed_filtered_and_live(browser: Browser, system: System, served: World) -> None:
    tenant = served.tenant()
    fail(served, tenant, 1)
    with console(browser, served, tenant) as page:
        page.wait_for_text("It is odd", "table.jobs")
        page.wait_for_text("Live")
        served.submit(tenant)
        page.wait_for_text("queued", "table.jobs")
        page.run("window.row = document.querySelector('[data-state=queued]')")
        system.start("workers.runtime", "ai")
        page.wait_for_text("succeeded", "table.jobs")
        assert page.run("window.row.isConnected && window.row.dataset.state") == "succeeded", "its row stayed in place"

        page.run("location.hash = '#/jobs?state=failed'")
        page.wait_for("document.querySelectorAll('table.jobs tbody tr').length === 1", "only failed jobs are listed")
        assert "succeeded" not in page.run("document.querySelector('table.jobs').innerText")
        page.run("location.hash = '#/jobs?kind=no.such'")
        page.wait_for_text("No job matches")


def test_text_that_a_job_brings_is_only_ever_text(browser: Browser, system: System, served: World) -> None:
    tenant = served.tenant()
    system.start("workers.runtime", "ai")
    with served.http(tenant) as http:
        job_id = http.post(PROCESS, json={"title": HOSTILE, "text": f"{HOSTILE} shall pay $500."}).json()["id"]
        held = http.post("/api/holds", json={"reason": HOSTILE, "kind": "keys.rotate"})
        assert held.status_code == 201
    system.await_state(job_id, "succeeded")
    with console(browser, served, tenant, f"/jobs/{job_id}") as page:
        page.wait_for_text("onerror=", "pre")
        assert "<script>" in page.text
        page.click("Holds")
        page.wait_for_text(HOSTILE, "td")
        assert page.run("document.querySelectorAll('main img, main script').length") == 0
        assert page.run("document.title").startswith("Holds")


def test_a_job_is_watched_to_its_end(browser: Browser, system: System, served: World) -> None:
    tenant = served.tenant()
    (job_id,) = system.submit(LeaveMark(seconds=1.5), tenant_id=tenant.id)
    with console(browser, served, tenant, f"/jobs/{job_id}") as page:
        page.wait_for_text("job.queued", ".timeline")
        page.wait_for_text("No worker of pool ai is alive", ".why")
        system.worker()
        page.wait_for_text("50 % · half way", ".progress")
        page.wait_for_text("succeeded", ".heading")
        page.wait_for_text('"attempt": 1', "pre")
        page.wait_for_text("job.succeeded", ".timeline")
        shown = [line.split()[1] for line in page.run("document.querySelector('.timeline').innerText").split("\n\n")]
        page.wait_for("document.querySelector('[role=status]').textContent.includes('succeeded')", "its end is said")

    assert len(shown) == len(set(shown)), "nothing is told twice"


def test_a_jobs_text_is_read_as_it_is_written(browser: Browser, system: System, served: World, tmp_path: Path) -> None:
    tenant = served.another_key(system.tenant_id)
    system.dispatcher()
    system.start("workers.runtime", "novel", **novel_in(tmp_path))
    (job_id,) = system.submit(Write(hang_in=1, words=60, reset_in=1, name=HOSTILE))
    with console(browser, served, tenant, f"/jobs/{job_id}") as page:
        page.wait_for_text("word-0-59", ".written [data-section='0']")
        page.wait_for_text("word-1-59", ".written [data-section='1']")
        assert system.state(job_id) == "running"
        assert "bad-1" not in page.run("document.querySelector('.written').innerText")
        assert HOSTILE in page.run("document.querySelector('.written').innerText")
        assert page.run("document.querySelectorAll('main img, main script').length") == 0
        assert "ai.delta" not in page.run("document.querySelector('.timeline').innerText")


def test_a_jobs_page_shows_its_command_and_each_attempts_error(browser: Browser, system: System, served: World) -> None:
    tenant = served.tenant("jobs:read", "jobs:read_content")
    (job_id,) = system.submit(Misbehave(how="ask for patience", until_attempt=2), tenant_id=tenant.id)
    system.worker()
    system.dispatcher()
    system.await_state(job_id, "succeeded")
    with console(browser, served, tenant, f"/jobs/{job_id}") as page:
        page.wait_for_text('"until_attempt": 2', "section[aria-labelledby=command-heading] pre")
        page.wait_for("document.querySelectorAll('.attempts li').length === 2", "both attempts are shown")
        first, second = page.run("[...document.querySelectorAll('.attempts li')].map(one => one.innerText)")

    assert [part in first for part in ("Attempt 1", "retrying", "the probe asks for patience")] == [True] * 3
    assert [part in second for part in ("Attempt 2", "succeeded")] == [True] * 2


def test_a_command_is_shown_to_nobody_whose_key_may_not_read_content(browser: Browser, served: World) -> None:
    owner = served.tenant()
    reader = served.another_key(owner.id, "jobs:read")
    job_id = served.submit(owner, title="Very private")
    with console(browser, served, reader, f"/jobs/{job_id}") as page:
        page.wait_for_text("needs the scope jobs:read_content")
        assert "Very private" not in page.text


def test_a_job_is_cancelled_once_that_is_confirmed_and_replayed_with_other_fields(
    browser: Browser, system: System, served: World
) -> None:
    tenant = served.tenant()
    job_id = served.submit(tenant)
    with console(browser, served, tenant, f"/jobs/{job_id}") as page:
        page.click("Cancel job…")
        page.wait_for_text("Cancel this job?", "dialog")
        page.press("Escape")
        page.wait_for("!document.querySelector('dialog')", "the dialog is gone")
        assert page.run("document.activeElement.innerText") == "Cancel job…", "the focus is where it was"
        assert system.state(job_id) == "queued"
        page.click("Cancel job…")
        page.click("Cancel it")
        page.wait_for_text("cancelled", ".heading")

        page.click("Replay…")
        page.type('{"title": 7, "surprise": true}', into="Other fields, as JSON (optional)")
        page.click("Replay")
        page.wait_for_text("/command/title", "dialog .problem")
        page.wait_for_text("/command/surprise", "dialog .problem")
        page.run("document.querySelector('textarea').select()")
        page.type('{"title": "Mended", "text": "Nothing."}', into="Other fields, as JSON (optional)")
        page.click("Replay")
        page.wait_for_text("queued", ".heading")
        page.wait_for_text("job.replayed", ".timeline")

    assert system.read("SELECT command->>'title' FROM jobs WHERE id = %s", job_id) == [("Mended",)]


def test_a_group_of_failures_is_counted_and_then_replayed(browser: Browser, system: System, served: World) -> None:
    tenant, other = served.tenant(), served.tenant()
    system.worker()
    broken = system.submit(*[Misbehave(how="refuse", until_attempt=2) for _ in range(3)], tenant_id=tenant.id)
    (foreign,) = system.submit(Misbehave(how="refuse", until_attempt=2), tenant_id=other.id)
    system.dispatcher()
    for job_id in (*broken, foreign):
        system.await_state(job_id, "failed")
    with console(browser, served, tenant, "/failures") as page:
        page.wait_for_text("This can't be done 3 jobs", ".group")
        page.click("Show jobs")
        page.wait_for("document.querySelectorAll('table.jobs tbody tr').length === 3", "its jobs are listed")
        page.click("All failures")
        page.wait_for_text("This can't be done 3 jobs", ".group")
        page.click("Replay…")
        page.wait_for_text("3 jobs", "dialog")
        assert [system.state(one) for one in broken] == ["failed"] * 3, "counting replays nothing"
        page.click("Replay 3")
        page.wait_for_text("3 jobs were queued again.")
        wait_until(lambda: system.states()["failed"] == 4, "all three ran again")

    assert [system.timeline(one).count("job.replayed") for one in (*broken, foreign)] == [1, 1, 1, 0]


def test_a_hold_and_a_schedule_are_stopped_and_let_go_again(browser: Browser, served: World) -> None:
    tenant = served.tenant()
    nightly = {"name": "nightly", "cron": "30 2 * * *", "kind": "ai.process_document", "command": DOCUMENT}
    with served.http(tenant) as http, console(browser, served, tenant, "/holds") as page:
        schedule = f"/api/schedules/{http.post('/api/schedules', json=nightly).json()['id']}"
        page.type("no.such", into="Kind")
        page.type("the provider is down", into="Reason")
        page.click("Hold")
        page.wait_for_text("/kind there is no such kind", ".problem")
        page.run("document.querySelector('#hold-kind').value = ''")
        page.click("Hold")
        page.wait_for_text("every job", "td, th")
        assert [one["reason"] for one in http.get("/api/holds").json()["holds"]] == ["the provider is down"]
        page.click("Resume")
        page.wait_for_text("Nothing is on hold")
        assert http.get("/api/holds").json()["holds"] == []

        page.click("Schedules")
        page.click("Pause")
        page.wait_for_text("paused", "td")
        assert http.get(schedule).json()["paused_at"] is not None
        page.click("Resume")
        page.click("Run now")
        page.wait_for_text("'nightly' runs as this job")
        assert http.get(schedule).json()["paused_at"] is None
        assert len(http.get("/api/jobs").json()["jobs"]) == 1


def test_who_has_a_read_token_sees_one_job_and_nothing_to_press(browser: Browser, served: World) -> None:
    tenant = served.tenant()
    job_id = served.submit(tenant)
    with served.http(tenant) as http:
        token = http.post(f"/api/jobs/{job_id}/token", json={}).json()["token"]
    with browser.page() as page:
        page.open(f"{served.url}/")
        page.type(token, into="API key or read token")
        page.type(str(job_id), into="Job id of the token")
        page.press("Enter")
        page.wait_for_text("job.queued", ".timeline")
        served.succeed(job_id, {"pages": 3})
        page.wait_for_text('"pages": 3', "pre")
        page.wait_for_text("succeeded", ".heading")
        assert page.run(BUTTONS) == ["Copy id", "Copy"]
        assert not page.run("document.querySelector('nav').checkVisibility()")
        assert page.errors == []


def test_a_key_stays_in_its_tab_and_out_of_every_address(browser: Browser, served: World) -> None:
    tenant = served.tenant()
    with browser.page() as page:
        page.open(f"{served.url}/")
        page.type("bct_wrong", into="API key or read token")
        page.press("Enter")
        page.wait_for_text("Authorization", ".problem")
        assert page.run("sessionStorage.length") == 0
    with console(browser, served, tenant) as page:
        page.wait_for_text("No jobs yet")
        assert page.run("Object.values(sessionStorage)") == [tenant.key]
        assert page.run("localStorage.length + document.cookie.length") == 0
        assert all(url.startswith(served.url) and tenant.key not in url for url in page.requested)
        with served.http(served.another_key(tenant.id)) as http:
            assert http.delete(f"/api/api-keys/{tenant.key_id}").status_code == 204
        page.click("Failures")
        page.wait_for("document.querySelector('#key')", "a key that fell is asked for anew")
        assert page.run("sessionStorage.length") == 0


def test_every_view_can_be_read_and_reached_by_keyboard_at_any_width(browser: Browser, served: World) -> None:
    tenant = served.tenant()
    (job_id,) = fail(served, tenant, 1)
    with console(browser, served, tenant) as page:
        for view in (f"/jobs/{job_id}", "/failures", "/schedules", "/holds", "/search", "/jobs"):
            page.run(f"location.hash = '#{view}'")
            page.wait_for("document.activeElement.tagName === 'H1'", f"{view} begins at its heading")
            for width, scheme in ((360, "dark"), (1440, "light")):
                page.resize(width, 800)
                page.prefer(scheme)
                assert page.run("document.documentElement.scrollWidth") <= width, f"{view} at {width}"
                assert page.run(CONTRAST) == [], f"{view} in {scheme}"
            page.press("Tab")
            assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid", view
            assert page.run(
                "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].every(one => one.labels.length)"
            ), view
