"""How words are made of texts, the same way for documents and for queries."""

from unicodedata import normalize

from tantivy import Filter, Index, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

STEMMED = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
FOLDED = "folded"
LONGEST_WORD_BYTES = 60


def composed(text: str) -> str:
    """The text with each accent in its letter: Tantivy would end a word at an accent that stands alone. A null character,
    which no answer may have, becomes a space."""
    return normalize("NFC", text).replace("\x00", " ")


def folded() -> TextAnalyzer:
    """Text to words without case and accents."""
    return _lower().filter(Filter.ascii_fold()).build()


def stemming(language: str) -> TextAnalyzer:
    """Text to stems. Accents are folded last, because stemmers know words with them."""
    return _lower().filter(Filter.stemmer(STEMMED[language])).filter(Filter.ascii_fold()).build()


def words_of(text: str) -> list[str]:
    """The folded words of what somebody typed. What isn't Unicode in it is no part of a word."""
    return folded().analyze(composed(text.encode(errors="ignore").decode()))


def stemmed_language(tag: str | None) -> str | None:
    """The language whose stems a document of this BCP 47 tag has; None when there is no stemmer for it."""
    primary = language_alone(tag or "")
    return primary if primary in STEMMED else None


def language_alone(tag: str) -> str:
    return tag.partition("-")[0]


def register_analyzers(index: Index) -> None:
    """An index forgets its analyzers when it is closed."""
    index.register_tokenizer(FOLDED, folded())
    for language in STEMMED:
        index.register_tokenizer(language, stemming(language))


def _lower() -> TextAnalyzerBuilder:
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    return builder.filter(Filter.remove_long(LONGEST_WORD_BYTES)).filter(Filter.lowercase())
