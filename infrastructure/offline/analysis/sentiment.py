"""Does the text speak well or ill of its matter? Loaded words are counted; irony and context are beyond it."""

from collections.abc import Iterator

from events.ai import Feeling, Sentiment, SentimentWord
from infrastructure.offline import lexicons
from infrastructure.offline.text.sentences import Sentence
from infrastructure.offline.text.words import words_in

WORDS_SHOWN = 50
NEGATION_REACH_WORDS = 3
NEUTRAL_BALANCE = 0.2

LANGUAGES = frozenset({"en", "de", "fr"})
_NEGATIONS = {
    "en": frozenset({"not", "no", "never", "without", "cannot", "neither", "nor", "free"}),
    "de": frozenset({"nicht", "kein", "keine", "keinen", "keiner", "keinem", "ohne", "nie", "niemals", "weder"}),
    "fr": frozenset({"pas", "sans", "jamais", "aucun", "aucune", "ni", "non"}),
}
_OPPOSITE = {Feeling.POSITIVE: Feeling.NEGATIVE, Feeling.NEGATIVE: Feeling.POSITIVE}


def sentiment_of(prose: tuple[Sentence, ...], language: str) -> Sentiment:
    """The balance of positive and negative words; `supported=False` and nothing counted in an unknown language."""
    supported = language in LANGUAGES
    found = [word for sentence in prose for word in _loaded(sentence, language)] if supported else []
    positive = sum(word.feeling is Feeling.POSITIVE for word in found)
    negative = len(found) - positive
    balance = round((positive - negative) / len(found), 2) if found else 0.0
    return Sentiment(
        feeling=feeling_of(balance),
        balance=balance,
        positive=positive,
        negative=negative,
        words=tuple(found[:WORDS_SHOWN]),
        supported=supported,
    )


def feeling_of(balance: float) -> Feeling:
    if abs(balance) < NEUTRAL_BALANCE:
        return Feeling.NEUTRAL
    return Feeling.POSITIVE if balance > 0 else Feeling.NEGATIVE


def _loaded(sentence: Sentence, language: str) -> Iterator[SentimentWord]:
    before: list[str] = []
    for match in words_in(sentence.text):
        word = match.group().casefold()
        if feeling := _LISTS[language].get(word):
            negated = any(earlier in _NEGATIONS[language] for earlier in before[-NEGATION_REACH_WORDS:])
            yield SentimentWord(
                text=match.group(),
                offset=sentence.offset + match.start(),
                feeling=_OPPOSITE[feeling] if negated else feeling,
                negated=negated,
            )
        before.append(word)


_LISTS = {
    language: dict.fromkeys(lexicons.words(f"positive.{language}"), Feeling.POSITIVE)
    | dict.fromkeys(lexicons.words(f"negative.{language}"), Feeling.NEGATIVE)
    for language in LANGUAGES
}
