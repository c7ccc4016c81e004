"""Searches find synonyms as well: both ways, several words together, and no more than fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infrastructure.searching.synonyms import MAX_ADDED, NO_SYNONYMS, SYNONYM_WEIGHT, thesaurus_of, widened, words_of
from infrastructure.searching.typed import typed
from schemas.search import (
    MAX_LEVELS,
    AllOf,
    AllTerms,
    AnyOf,
    Match,
    NoneOf,
    Phrase,
    Prefix,
    SynonymGroup,
    SynonymRule,
    Synonyms,
    SynonymSet,
    TextField,
)
from schemas.search.match import walk

NDA = Synonyms(groups=(SynonymGroup(terms=("NDA", "non-disclosure agreement")),))


def search_for(text: str, synonyms: Synonyms = NDA) -> Match:
    return widened(typed(text).match, thesaurus_of(synonyms))


def texts(match: Match) -> list[str]:
    return [clause.text for clause, _ in walk(match) if hasattr(clause, "text")]


def test_a_word_also_finds_the_phrase_that_it_stands_for() -> None:
    assert search_for("Nda") == AnyOf(
        clauses=(AllTerms(text="Nda"), Phrase(text="non disclosure agreement", weight=SYNONYM_WEIGHT / 3))
    )


def test_the_phrase_finds_the_word_and_is_looked_for_as_it_was_written_too() -> None:
    assert search_for("Non-Disclosure agreement Müller") == AllOf(
        clauses=(
            AnyOf(clauses=(AllTerms(text="Non-Disclosure agreement"), AllTerms(text="nda", weight=SYNONYM_WEIGHT))),
            AllTerms(text="Müller"),
        )
    )


def test_accents_and_case_make_no_other_word() -> None:
    assert texts(search_for("RÉSUMÉ", Synonyms(groups=(SynonymGroup(terms=("resume", "CV")),)))) == ["cv", "RÉSUMÉ"]


def test_a_rule_works_one_way_only() -> None:
    rule = Synonyms(rules=(SynonymRule(term="vehicle", finds=("car", "lorry")),))

    assert set(texts(search_for("vehicle", rule))) == {"vehicle", "car", "lorry"}
    assert search_for("car", rule) == AllTerms(text="car")


@pytest.mark.parametrize("text", ['"nda"', "-nda", "nda*", '-"nda"', "disclosure agreement"])
def test_what_was_quoted_excluded_or_only_begun_stays_as_it_is(text: str) -> None:
    assert search_for(text) == typed(text).match


def test_a_synonym_keeps_its_clauses_field_and_weighs_less_than_it() -> None:
    found = widened(AllTerms(text="nda", field=TextField.TITLE, fuzzy=True, weight=4), thesaurus_of(NDA))

    assert isinstance(found, AnyOf)
    assert found.clauses[0] == AllTerms(text="nda", field=TextField.TITLE, fuzzy=True, weight=4)
    assert isinstance(found.clauses[1], Phrase)
    assert found.clauses[1].weight == pytest.approx(2 / 3)
    assert found.clauses[1].model_copy(update={"weight": 1}) == Phrase(
        text="non disclosure agreement", field=TextField.TITLE, weight=1
    )


def test_the_longest_term_is_meant() -> None:
    own = Synonyms(groups=(SynonymGroup(terms=("data", "facts")), SynonymGroup(terms=("data protection", "privacy"))))

    assert sorted(texts(search_for("data protection law", own))) == ["data protection", "law", "privacy"]


def test_the_tenants_own_come_before_those_of_the_sets() -> None:
    both = Synonyms(sets=(SynonymSet.LEGAL,), groups=(SynonymGroup(terms=("nda", "secrecy")),))

    assert thesaurus_of(both).finds[("nda",)][0] == ("secrecy",)
    assert ("non", "disclosure", "agreement") in thesaurus_of(both).finds[("nda",)]


@pytest.mark.parametrize("chosen", SynonymSet)
def test_every_shipped_term_could_be_a_tenants_own(chosen: SynonymSet) -> None:
    finds = thesaurus_of(Synonyms(sets=(chosen,))).finds

    assert 100 <= len(finds) <= 300
    for term, found in finds.items():
        SynonymRule(term=" ".join(term), finds=tuple(map(" ".join, found)))


def test_other_synonyms_have_another_digest_and_none_have_none() -> None:
    assert thesaurus_of(Synonyms()) is NO_SYNONYMS
    assert (
        len({thesaurus_of(one).digest for one in (NDA, Synonyms(sets=("legal",)), Synonyms(sets=("technology",)))}) == 3
    )


@pytest.mark.parametrize(
    "given",
    [
        {"groups": [{"terms": ["one"]}]},
        {"groups": [{"terms": ["one", "One"]}]},
        {"groups": [{"terms": ["one", "a b c d e f"]}]},
        {"groups": [{"terms": ["one", "&"]}]},
        {"rules": [{"term": "one", "finds": ["one"]}]},
        {"groups": [{"terms": [f"w{number}" for number in range(11)]}]},
    ],
)
def test_terms_that_can_mean_nothing_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Synonyms.model_validate(given)


WORDS = [f"w{number}" for number in range(12)]
GROUPS = st.lists(st.lists(st.sampled_from(WORDS), min_size=2, max_size=10, unique=True), max_size=12)
TEXTS = st.lists(st.sampled_from([*WORDS, "OR", '"w1 w2"', "-w3", "w4*", "other"]), min_size=1, max_size=60)


@given(GROUPS, TEXTS)
def test_a_query_never_grows_beyond_its_bounds_and_never_loses_a_word(
    groups: list[list[str]], pieces: list[str]
) -> None:
    asked = typed(" ".join(pieces)).match
    found = widened(asked, thesaurus_of(Synonyms(groups=tuple(SynonymGroup(terms=tuple(one)) for one in groups))))

    added = sum(1 for _ in walk(found)) - sum(1 for _ in walk(asked))
    assert 0 <= added <= MAX_ADDED
    assert max(level for _, level in walk(found)) <= MAX_LEVELS
    lost = set(words_of(" ".join(texts(asked)))) - set(words_of(" ".join(texts(found))))
    assert not lost


def test_what_is_left_out_are_the_later_words_and_the_later_synonyms() -> None:
    many = Synonyms(groups=tuple(SynonymGroup(terms=(f"w{n}", *(f"s{n}x{k}" for k in range(9)))) for n in range(8)))
    found = texts(search_for(" ".join(f"w{n}" for n in range(8)), many))

    assert all(f"s{n}x{k}" in found for n in range(5) for k in range(9))
    assert [one for one in found if one.startswith("s5")] != []
    assert [one for one in found if one.startswith(("s6", "s7"))] == []
    assert "s5x0" in found


def test_a_clause_at_the_deepest_level_is_left_as_it_is() -> None:
    deep: Match = AllTerms(text="nda")
    for _ in range(MAX_LEVELS - 1):
        deep = AllOf(clauses=(deep,))

    assert widened(deep, thesaurus_of(NDA)) == deep
    assert widened(NoneOf(clauses=(Prefix(text="nda"),)), thesaurus_of(NDA)) == NoneOf(clauses=(Prefix(text="nda"),))
