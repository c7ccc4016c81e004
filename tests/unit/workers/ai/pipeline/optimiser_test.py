"""What the optimiser changes of a call, and what it leaves alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import MAX_BREAKPOINTS, Message, ModelRequest, Passage, Role
from workers.ai.documents_in_prompt import PromptDocument, documents_in_prompt
from workers.ai.pipeline.optimiser import AS_ABOVE, is_documents, optimised_request

CLAUSE = "Neither party is liable for indirect damage, unless it was caused on purpose or by gross negligence."
LONG = "\n\n".join(f"Paragraph {number}: {'the quick brown fox ' * 20}" for number in range(20))
SYSTEM = (Passage("You write contracts."),)


def blocks(*texts: str) -> Passage:
    documents = [PromptDocument(f"d{place}", 1, text) for place, text in enumerate(texts)]
    return Passage(documents_in_prompt(documents, max_tokens=100_000).text)


def request(*passages: Passage) -> ModelRequest:
    return ModelRequest("", (Message(Role.USER, passages),), 500, system=SYSTEM)


def passages_of(optimised: ModelRequest) -> tuple[Passage, ...]:
    return optimised.messages[0].passages


def test_documents_come_before_what_is_asked_so_that_a_providers_cache_can_know_them_again() -> None:
    optimised = optimised_request(request(Passage("Write the summary."), blocks("A.")), Purpose.SECTION, 3)
    assert [is_documents(one) for one in passages_of(optimised)] == [True, False]


def test_a_paragraph_that_a_second_document_repeats_is_sent_once() -> None:
    sent = request(blocks(f"First.\n\n{CLAUSE}", f"Second.\n\n{CLAUSE}"))
    text = passages_of(optimised_request(sent, Purpose.SECTION, 1))[0].text
    assert text.count(CLAUSE) == 1
    assert AS_ABOVE in text
    assert "Second." in text


def test_where_each_mention_counts_nothing_is_removed() -> None:
    sent = request(blocks(f"{CLAUSE}\n\n{CLAUSE}"))
    assert passages_of(optimised_request(sent, Purpose.EXTRACT, 1)) == passages_of(sent)


def test_what_is_asked_may_repeat_itself() -> None:
    sent = request(Passage(f"{CLAUSE}\n\n{CLAUSE}"))
    assert passages_of(optimised_request(sent, Purpose.SECTION, 1)) == passages_of(sent)


def test_short_lines_stay_where_they_are() -> None:
    sent = request(blocks("Total\n\n12.00\n\nTotal\n\n12.00"))
    assert passages_of(optimised_request(sent, Purpose.SECTION, 1)) == passages_of(sent)


def test_calls_over_the_same_documents_end_them_with_a_breakpoint() -> None:
    optimised = optimised_request(request(Passage("Write."), blocks(LONG)), Purpose.SECTION, 2)
    assert [one.cache_after for one in passages_of(optimised)] == [True, False]


def test_a_call_that_stays_alone_pays_for_no_cache_whatever_its_job_marked() -> None:
    marked = replace(blocks(LONG), cache_after=True)
    sent = replace(request(Passage("Write."), marked), system=(Passage("Rules.", cache_after=True),))
    assert optimised_request(sent, Purpose.EXTRACT, 1).breakpoints == 0
    assert optimised_request(sent, Purpose.EXTRACT, 2).breakpoints == 2


def test_what_is_too_short_for_a_providers_cache_has_no_breakpoint() -> None:
    optimised = optimised_request(request(Passage("Write."), blocks("Short.")), Purpose.SECTION, 5)
    assert optimised.breakpoints == 0


@given(st.lists(st.sampled_from([CLAUSE, LONG, "Total", "x" * 90, "", "y\n\nz"]), max_size=6), st.integers(1, 4))
def test_optimising_twice_changes_nothing_more_and_never_makes_a_request_longer(texts: list[str], alike: int) -> None:
    sent = request(Passage("Write."), blocks(*texts))
    once = optimised_request(sent, Purpose.SECTION, alike)
    assert optimised_request(once, Purpose.SECTION, alike) == once
    assert sum(len(one.text) for one in once.passages) <= sum(len(one.text) for one in sent.passages)
    assert once.breakpoints <= MAX_BREAKPOINTS
