"""What is said about a document is found as it was said last."""

import pytest

from tests.integration.documents.shelf import Shelf
from tests.system import System
from tests.waiting import wait_until


@pytest.fixture
def shelf(system: System) -> Shelf:
    return Shelf(system)


def test_a_document_is_found_by_its_new_title_and_no_more_by_its_old_one(system: System, shelf: Shelf) -> None:
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due.", title="Zebra"), "succeeded")
    wait_until(lambda: shelf.found("zebra") == [("lease", 1)], "it is found by its title")

    changed = shelf.change("lease", title="Okapi")

    assert changed is not None
    system.await_state(changed, "succeeded")
    assert (shelf.found("okapi"), shelf.found("zebra"), shelf.found("rent")) == ([("lease", 1)], [], [("lease", 1)])


def test_a_change_that_no_search_sees_makes_no_job(system: System, shelf: Shelf) -> None:
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due."), "succeeded")
    wait_until(lambda: shelf.found("rent") == [("lease", 1)], "it is found")

    assert shelf.change("lease", metadata={"signed": True}) is None


def test_a_document_that_isnt_to_be_found_isnt_by_a_change(system: System, shelf: Shelf) -> None:
    shelf.set_profile(index=False)
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due."), "succeeded")

    assert shelf.change("lease", title="Okapi") is None
    assert shelf.found() == []


def test_a_new_version_that_cant_be_read_is_found_as_it_is_described_with_the_text_before(
    system: System, shelf: Shelf
) -> None:
    system.start("workers.runtime", "search")
    system.await_state(shelf.upload("lease", "The rent is due.", title="Zebra"), "succeeded")
    wait_until(lambda: shelf.found("zebra") == [("lease", 1)], "it is found by its title")

    failed = shelf.upload("lease", bytes(range(256)) * 40, title="Okapi")

    system.await_state(failed, "failed")
    wait_until(lambda: shelf.found("okapi") == [("lease", 1)], "it is found by its new title")
    assert (shelf.found("zebra"), shelf.found("rent")) == ([], [("lease", 1)])
