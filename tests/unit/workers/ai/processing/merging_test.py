"""What parts of a text say, put together."""

from typing import Any

from infrastructure.offline.answering.facts import facts_answer
from tests.unit.infrastructure.offline.samples import sample
from workers.ai.processing.document import facts_in_parts
from workers.ai.processing.extracting import checked_parts
from workers.ai.processing.relaxing import relaxed
from workers.ai.questions.in_parts import PartAnswer
from workers.ai.questions.parts import parts_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "landlord": {"type": "string"},
        "rent": {"type": "number"},
        "dates": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["landlord", "rent"],
}


def test_facts_of_parts_are_those_of_the_whole_each_once_and_at_its_place() -> None:
    text = sample("commercial-lease.txt")
    parts = [PartAnswer(one.offset, one.text, facts_answer(one.text, "en")) for one in parts_of(text, 2_000)]
    whole = facts_in_parts((PartAnswer(0, text, facts_answer(text, "en")),), "en")
    merged = facts_in_parts(tuple(parts), "en")

    assert len(parts) > 2
    assert (merged.dates, merged.amounts) == (whole.dates, whole.amounts)
    assert [one.name for one in merged.parties] == [one.name for one in whole.parties]
    assert [(one.text, one.offset) for one in merged.defined_terms] == [
        (one.text, one.offset) for one in whole.defined_terms
    ]
    assert len(merged.summary) <= 8
    assert len({one.text.casefold() for one in merged.key_phrases}) == len(merged.key_phrases) <= 15
    for quote in (*merged.summary, *merged.key_phrases, *merged.parties):
        assert text[quote.offset :].startswith(quote.text)


def test_a_part_needn_t_say_what_the_whole_has_to() -> None:
    one, two = "Ann Lee is the Landlord. It begins on 3 March 2026.", "The rent is EUR 5. It begins on 3 March 2026."
    text = f"{one}\n\n{two}"
    days = {"dates": ["3 March 2026"]}
    answers = (
        PartAnswer(0, one, {"data": {"landlord": "Ann Lee", "rent": None, **days}, "quotes": []}),
        PartAnswer(len(one) + 2, two, {"data": {"rent": 5, **days}, "quotes": [{"path": "/rent", "quote": "EUR 5"}]}),
    )
    found = checked_parts(answers, len(text), SCHEMA, "en")

    assert (found.data, found.unmet) == ({"landlord": "Ann Lee", "rent": 5, "dates": ["3 March 2026"]}, ())
    assert found.values[("rent",)].offset == text.index("EUR 5")
    assert "required" not in relaxed(SCHEMA)


def test_what_no_part_says_and_the_whole_needs_is_unmet() -> None:
    answers = tuple(PartAnswer(place, "Nothing.", {"data": {}, "quotes": []}) for place in (0, 8))
    unmet = checked_parts(answers, 16, SCHEMA, "en").unmet

    assert {name for error in unmet for name in error.names} == {"landlord", "rent"}
