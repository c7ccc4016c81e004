"""Which phrases the offline provider shows, in which order, and what it never shows."""

import random
import time

import pytest

from events.ai import KeyPhrase
from infrastructure.offline.extraction.phrases import MAX_PHRASES, phrases_of
from infrastructure.offline.text.language import language_of
from infrastructure.offline.text.sentences import sentences_in
from infrastructure.offline.text.word_weights import READ_WORDS
from schemas.documents import MAX_TEXT_CHARACTERS
from tests.unit.infrastructure.offline.samples import NAMES, sample


def phrases_in(text: str, language: str = "en") -> tuple[KeyPhrase, ...]:
    return phrases_of(text, sentences_in(text), language)


def phrases_in_sample(name: str) -> list[str]:
    return [phrase.text for phrase in phrases_in(sample(name), language_of(sample(name)).code)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("master-services-agreement.md", {"Statement of Work", "Acceptance Tests", "Effective Date", "Service Levels"}),
        ("consulting-report-cold-chain.md", {"one-time cost", "Verdelane Foods Holding", "Castellan Row Advisory LLP"}),
        ("commercial-lease.txt", {"Rent", "Premises", "Insured Risks", "Permitted Use"}),
        ("mutual-nda.md", {"Receiving Party", "Disclosing Party", "Confidential Information"}),
        ("data-processing-agreement.md", {"personal data", "Main Contract", "patients"}),
        ("werkvertrag-softwareentwicklung.txt", {"Anwendung", "Abnahme", "Vergütung", "Pflichtenheft"}),
        ("contrat-de-prestation.txt", {"Hôtels du Grand Tétras", "site de réservation", "Livrable"}),
        ("incident-report-2026-02.md", {"broker", "certificate", "confirmations"}),
    ],
)
def test_key_phrases_are_what_the_document_is_about(name: str, expected: set[str]) -> None:
    phrases = phrases_in_sample(name)

    assert expected <= set(phrases)
    assert len(phrases) == MAX_PHRASES


@pytest.mark.parametrize("name", NAMES)
def test_what_the_parties_are_called_never_comes_first(name: str) -> None:
    roles = {"Tenant", "Landlord", "Customer", "Supplier", "Buyer", "Seller", "Licensee", "Licensor", "Processor"}

    assert not roles & set(phrases_in_sample(name)[:3])


@pytest.mark.parametrize("name", NAMES)
def test_no_key_phrase_says_another_one_over_again(name: str) -> None:
    said = [frozenset(phrase.casefold().split()) for phrase in phrases_in_sample(name)]

    assert not [words for words in said if any(words < other for other in said)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_text_has_the_same_key_phrases_in_falling_order(name: str) -> None:
    phrases = phrases_in(sample(name))

    assert phrases == phrases_in(sample(name))
    assert [phrase.relevance for phrase in phrases] == sorted({phrase.relevance for phrase in phrases}, reverse=True)


def test_one_and_many_are_one_phrase_shown_as_the_text_writes_it_most() -> None:
    text = "A credit union pays. The credit unions of Duluth and the credit unions of Ely pay."
    shown, *_ = phrases_in(text)

    assert (shown.text, shown.offset, shown.occurrences) == ("credit unions", text.index("credit unions"), 3)


def test_a_phrase_is_shown_from_a_sentence_and_not_from_a_heading_in_capitals() -> None:
    text = "INSURED RISKS\n\nThe Insured Risks are fire and flood. Nobody else covers the Insured Risks."
    shown, *_ = phrases_in(text)

    assert (shown.text, shown.occurrences) == ("Insured Risks", 3)


def test_a_phrase_goes_on_over_a_line_but_not_over_a_comma_or_a_column() -> None:
    texts = [phrase.text for phrase in phrases_in("The cooling\n    tower leaks, pump stations hum.\n\nQty   Article")]

    assert "cooling\n    tower leaks" in texts
    assert not [text for text in texts if "leaks" in text and "pump" in text]
    assert not [text for text in texts if "Qty" in text and "Article" in text]


def test_an_article_that_lost_its_vowel_and_the_s_of_an_owner_are_left_out() -> None:
    (french, *_) = phrases_in("L'exploitant gère l'exploitation. Sans l'exploitation, rien ne va.", "fr")
    (english, *_) = phrases_in("The aquifer's level fell. By May the aquifer's level was low; the aquifer recovers.")

    assert french.text == "exploitation"
    assert english.text == "aquifer's level"


def test_neither_codes_nor_months_nor_currencies_are_phrases() -> None:
    texts = {
        phrase.text for phrase in phrases_in("In March the TG-400 in PN4 cost EUR 10. In March the TG-400 failed.")
    }

    assert not texts & {"March", "TG", "PN", "EUR"}


def test_occurrences_beyond_the_words_that_are_read_are_counted() -> None:
    once = "The cooling tower is old. "
    (phrase, *_) = phrases_in(once * READ_WORDS)

    assert (phrase.text, phrase.occurrences) == ("cooling tower", READ_WORDS)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "und"])
@pytest.mark.parametrize("text", ["", " \n", "1 2 3", "…", "a", "'", "l'"])
def test_a_text_that_says_nothing_has_no_key_phrases(text: str, language: str) -> None:
    assert phrases_in(text, language) == ()


def test_the_longest_text_takes_at_most_a_hundred_times_what_a_page_does() -> None:
    """Linear would be 67 times as long, if all of it were read; a square would be 4,400 times."""
    letters = random.Random(3)
    words = ["".join(letters.choices("abcdefgh", k=6)) for _ in range(400)]
    page = " ".join(letters.choices(words, k=430))[:3_000]
    longest = " ".join(letters.choices(words, k=MAX_TEXT_CHARACTERS // 7))

    assert _cpu_seconds(longest) < 100 * max(_cpu_seconds(page) for _ in range(5))


def _cpu_seconds(text: str) -> float:
    sentences = sentences_in(text)
    began = time.process_time()
    phrases_of(text, sentences, "en")
    return time.process_time() - began
