"""Measuring a text: how it reads, how it speaks, what is risky in it, and how it differs from another."""

import pytest

from events.ai import Comparison, Feeling, Risk, Severity
from infrastructure.offline.analysis.comparison import comparison_of
from infrastructure.offline.analysis.readability import readability_of
from infrastructure.offline.analysis.risk import risk_in
from infrastructure.offline.analysis.sentiment import sentiment_of
from infrastructure.offline.text.sentences import prose_in, sentences_in
from tests.unit.infrastructure.offline.samples import sample


def risk_of(text: str, language: str = "en") -> Risk:
    return risk_in(text, sentences_in(text), language)


def compared(text: str, reference: str) -> Comparison:
    return comparison_of(sentences_in(text), sentences_in(reference))


def test_short_words_and_sentences_read_more_easily_than_long_ones() -> None:
    easy = readability_of(prose_in("The cat sat on the mat. It was warm. We had tea."), "en")
    hard = readability_of(
        prose_in("Notwithstanding contradictory jurisdictional considerations, indemnification remains obligatory."),
        "en",
    )

    assert easy.score is not None
    assert hard.score is not None
    assert easy.score > 90 > 20 > hard.score
    assert (easy.words, easy.sentences, easy.syllables_per_word) == (12, 3, 1.0)


@pytest.mark.parametrize(("language", "formula"), [("en", "Flesch (1948)"), ("de", "Amstad (1978)"), ("sv", None)])
def test_the_formula_is_the_language_s_own_or_none(language: str, formula: str | None) -> None:
    readability = readability_of(prose_in("Das ist ein Satz. Hier steht noch einer."), language)

    assert readability.formula == formula
    assert (readability.score is None) == (formula is None)


def test_the_longest_sentences_are_shown_longest_first() -> None:
    shown = readability_of(prose_in(sample("master-services-agreement.md")), "en").longest_sentences

    lengths = [len(quote.text.split()) for quote in shown]
    assert lengths == sorted(lengths, reverse=True)
    assert len(shown) == 5


@pytest.mark.parametrize(
    ("text", "language", "feeling"),
    [
        ("The team did excellent, reliable work and the client is satisfied.", "en", Feeling.POSITIVE),
        ("The outage was severe, the alert failed and data was lost.", "en", Feeling.NEGATIVE),
        ("The work was not successful.", "en", Feeling.NEGATIVE),
        ("The report has nine pages.", "en", Feeling.NEUTRAL),
        ("Die Lieferung war mangelhaft und verspätet.", "de", Feeling.NEGATIVE),
        ("Un résultat excellent et une équipe efficace.", "fr", Feeling.POSITIVE),
    ],
)
def test_the_feeling_is_the_balance_of_loaded_words(text: str, language: str, feeling: Feeling) -> None:
    assert sentiment_of(prose_in(text), language).feeling is feeling


def test_an_incident_report_speaks_worse_of_its_matter_than_a_good_year() -> None:
    incident = sentiment_of(prose_in(sample("incident-report-2026-02.md")), "en")
    year = sentiment_of(prose_in(sample("annual-financial-report-2025.md")), "en")

    assert incident.balance < year.balance
    assert incident.feeling is Feeling.NEGATIVE


def test_a_language_without_lists_is_reported_as_unsupported_and_not_as_harmless() -> None:
    text = "Ansvaret är obegränsat."

    assert not sentiment_of(prose_in(text), "sv").supported
    assert not risk_of(text, "sv").supported


@pytest.mark.parametrize(
    ("text", "language", "category"),
    [
        ("The Supplier may terminate this Agreement for convenience.", "en", "termination"),
        ("It shall automatically renew\nfor one year.", "en", "automatic_renewal"),
        ("The Tenant shall indemnify the Landlord.", "en", "indemnity"),
        ("The software is provided AS IS.", "en", "warranty_disclaimer"),
        ("Sie zahlt eine Vertragsstrafe von 5 %.", "de", "penalty"),
        ("Die Auftragnehmerin haftet bei Vorsatz unbeschränkt.", "de", "unlimited_liability"),
        ("Le contrat se renouvelle par tacite reconduction.", "fr", "automatic_renewal"),
    ],
)
def test_a_risky_phrase_is_found_with_its_sentence(text: str, language: str, category: str) -> None:
    risk = risk_of(text, language)

    assert [term.category for term in risk.terms] == [category]
    assert risk.terms[0].sentence.text == text


def test_the_service_agreement_s_risks_are_counted_by_category() -> None:
    risk = risk_of(sample("master-services-agreement.md"))

    assert {"automatic_renewal", "liability_limit", "indemnity", "penalty", "termination"} <= risk.by_category.keys()
    assert sum(risk.by_category.values()) == len(risk.terms)
    assert any(term.severity is Severity.HIGH for term in risk.terms)


def test_a_text_is_the_same_as_itself_however_it_is_broken_into_lines() -> None:
    text = "The rent is due. The tenant pays.\n\nThe landlord repairs."
    comparison = compared(text, "The rent\nis due. The tenant pays.\n\nThe landlord repairs.")

    assert (comparison.similarity, comparison.unchanged, comparison.changed) == (1.0, 3, ())


def test_a_changed_sum_is_a_change_and_a_moved_sentence_is_none() -> None:
    reference = "The rent is EUR 900 a month. Pets are welcome. The tenant paints."
    comparison = compared("The tenant paints. The rent is EUR 950 a month. Smoking is not.", reference)

    (change,) = comparison.changed
    assert (change.before.text, change.after.text) == ("The rent is EUR 900 a month.", "The rent is EUR 950 a month.")
    assert [quote.text for quote in comparison.added] == ["Smoking is not."]
    assert [quote.text for quote in comparison.removed] == ["Pets are welcome."]
    assert comparison.unchanged == 1
    assert 0.0 < comparison.similarity < 1.0


def test_unlike_texts_have_nothing_in_common() -> None:
    assert compared("Apples are red.", "Whales sing at night.").similarity == 0.0


def test_differences_beyond_the_limit_are_counted() -> None:
    comparison = compared(" ".join(f"Item{number} a{number} b{number} is new." for number in range(150)), "Old text.")

    assert (len(comparison.added), comparison.left_out) == (100, 50)
