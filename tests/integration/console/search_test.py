"""Searching in the console: the real page in a real browser, on documents that a real worker has indexed."""

from typing import Any

from tests.browser import Browser, Page
from tests.integration.console.opening import CONTRAST, console
from tests.integration.search.catalogue import Catalogue, lease
from tests.integration.serving import World

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HEBREW = "חוזה שכירות"
COPY = ("Copy", "id")
TITLES = "[...document.querySelectorAll('.hits h2')].map(one => one.innerText)"


def test_what_is_typed_is_found_with_what_matched_marked(browser: Browser, served: World, shelf: Catalogue) -> None:
    shelf.indexed(
        {"documents": [lease(1, "The 𝒇irst rent is overdue.", title="Lease of an office"), lease(2, "Nothing.")]}
    )
    with console(browser, served, shelf.tenant, "/search") as page:
        page.wait_for_text("2 documents", ".total")
        _search(page, "overdue")
        page.wait_for_text("1 document", ".total")
        assert page.run(TITLES) == ["Lease of an office"]
        assert page.run("[...document.querySelectorAll('mark')].map(one => one.textContent)") == ["overdue"]
        assert page.run("document.querySelector('.identity').innerText").split() == ["lease-1", "version", "1", *COPY]
        for width, scheme in ((360, "dark"), (1440, "light")):
            page.resize(width, 800)
            page.prefer(scheme)
            assert page.run("document.documentElement.scrollWidth") <= width
            assert page.run(CONTRAST) == []
        page.run("history.back()")
        page.wait_for_text("2 documents", ".total")
        assert page.run("document.querySelector('#search-text').value") == ""


def test_whatever_a_document_says_is_only_ever_text(browser: Browser, served: World, shelf: Catalogue) -> None:
    hostile = lease("x", f"{HOSTILE} rent", title=HOSTILE, document_type="<b>type", tags=["<i>tag"])
    shelf.indexed({"documents": [hostile, lease("rtl", f"{HEBREW} rent", title=HEBREW, language="he")]})
    with console(browser, served, shelf.tenant, "/search") as page:
        _search(page, "rent")
        page.wait_for_text("2 documents", ".total")
        assert HOSTILE in page.run(TITLES)
        assert page.run("document.querySelector('.facets').innerText.includes('<b>type')")
        assert page.run("document.querySelectorAll('main img, main script, main b, main i').length") == 0
        assert page.run("document.title").startswith("Search")
        directions = {
            text: page.run(f"getComputedStyle([...document.querySelectorAll('.hits h2')][{place}]).direction")
            for place, text in enumerate(page.run(TITLES))
        }
        assert directions == {HOSTILE: "ltr", HEBREW: "rtl"}


def test_what_is_being_typed_is_completed_and_chosen_by_keyboard(
    browser: Browser, served: World, shelf: Catalogue
) -> None:
    shelf.indexed({"documents": [lease(1, title="Lease of an office"), lease(2, title="Other")]})
    with console(browser, served, shelf.tenant, "/search") as page:
        page.type("lease of", into="Search documents")
        page.wait_for_text("Lease of an office", "#suggestions li")
        page.press("Escape")
        page.wait_for("!document.querySelector('#suggestions').checkVisibility()", "the list is gone")
        page.type("f", into="Search documents")
        page.wait_for_text("Lease of an office", "#suggestions li")
        page.press("ArrowDown")
        active = page.run("document.activeElement.getAttribute('aria-activedescendant')")
        assert page.run(f"document.getElementById('{active}').getAttribute('aria-selected')") == "true"
        chosen = page.run(f"document.getElementById('{active}').querySelector('bdi').textContent")
        page.press("Enter")
        page.wait_for_text("1 document", ".total")
        assert page.run("document.querySelector('#search-text').value") == chosen
        assert page.run(TITLES) == ["Lease of an office"]


def test_values_of_a_field_are_chosen_together_and_let_go(browser: Browser, served: World, shelf: Catalogue) -> None:
    kinds = ("lease", "lease", "contract", "memo")
    shelf.indexed({"documents": [lease(number, document_type=kind) for number, kind in enumerate(kinds)]})
    with console(browser, served, shelf.tenant, "/search") as page:
        page.wait_for_text("4 documents", ".total")
        _tick(page, "contract")
        page.wait_for_text("1 document", ".total")
        assert page.run("document.activeElement.value") == "contract", "the focus stays"
        assert _counts(page) == {"lease": "2", "contract": "1", "memo": "1"}
        _tick(page, "lease")
        page.wait_for_text("3 documents", ".total")
        page.click("Clear filters")
        page.wait_for_text("4 documents", ".total")


def test_another_spelling_and_documents_with_some_words_are_told_of(
    browser: Browser, served: World, shelf: Catalogue
) -> None:
    shelf.indexed({"documents": [lease(1, "The rent is overdue."), lease(2, "A rental garden.")]})
    with console(browser, served, shelf.tenant, "/search") as page:
        _search(page, "overdeu")
        page.wait_for_text("Nothing has overdeu. These are the hits for overdue.", ".notes")
        _search(page, "overdue garden")
        page.wait_for_text("Those with some of them come behind.", ".notes")
        assert len(page.run(TITLES)) == 2


def test_more_hits_come_below_and_a_refusal_is_told(browser: Browser, served: World, shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(number) for number in range(13)]})
    with console(browser, served, shelf.tenant, "/search") as page:
        page.wait_for_text("13 documents", ".total")
        assert len(page.run(TITLES)) == 10
        page.click("More")
        page.wait_for(f"{TITLES}.length === 13", "the rest is there as well")
        assert page.run("[...document.querySelectorAll('.hits > li')].indexOf(document.activeElement)") == 10
        assert not page.run("document.querySelector('.pages button')")
        _search(page, "***")
        page.wait_for_text("the text has no word to search for", ".problem")
        assert page.run(TITLES) == [], "nothing that was found before passes for its answer"


def test_a_search_is_saved_and_asked_again(browser: Browser, served: World, shelf: Catalogue) -> None:
    shelf.indexed({"documents": [lease(1, "The rent is overdue."), lease(2)]})
    shelf.save("more-than-this-page", "overdue")
    with console(browser, served, shelf.tenant, "/search?text=overdue&document_types=lease") as page:
        page.wait_for_text("1 document", ".total")
        page.click("Save this search…")
        page.type("more-than-this-page", into="Name")
        page.click("Save")
        page.wait_for_text("The name is taken", "dialog .problem")
        page.run("document.querySelector('#saved-name').value = ''")
        page.type("overdue-leases", into="Name")
        page.click("Save")
        page.wait_for("!document.querySelector('dialog')", "it is saved")
        assert _saved(shelf)["overdue-leases"]["text"] == "overdue"
        assert _saved(shelf)["overdue-leases"]["filters"]["document_types"] == ["lease"]

        _search(page, "")
        page.click("Clear filters")
        page.wait_for_text("2 documents", ".total")
        page.click("Saved searches")
        page.wait_for_text("looks for more than this page can ask", ".saved")
        page.click("overdue-leases")
        page.wait_for_text("1 document", ".total")
        assert page.run("[...document.querySelectorAll('.facets input:checked')].map(one => one.value)") == ["lease"]


def _search(page: Page, text: str) -> None:
    page.wait_for("document.querySelector('.total')?.innerText", "an answer is there")
    page.run("document.querySelector('#search-text').value = ''")
    page.type(text, into="Search documents")
    page.press("Enter")


def _tick(page: Page, value: str) -> None:
    page.run(f"document.querySelector('.facets input[value={value}]').focus()")
    page.press(" ")


def _counts(page: Page) -> dict[str, str]:
    rows: list[str] = page.run(
        "[...document.querySelector('.facets fieldset').querySelectorAll('label')].map(one => one.innerText)"
    )
    return {row.split()[0]: row.split()[1] for row in rows}


def _saved(shelf: Catalogue) -> dict[str, Any]:
    return {one["name"]: one["query"] for one in shelf.http.get("/api/search/saved").json()["searches"]}
