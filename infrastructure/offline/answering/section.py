"""Which sentences of some documents make the section that an instruction asks for?

A sentence scores by the instruction's words that it has, each worth more the fewer sentences have it. Those taken stand in the
order of the documents.
"""

import math
from collections import Counter
from collections.abc import Sequence

from infrastructure.offline.analysis.summary import LONGEST_CHARACTERS, summary_of
from infrastructure.offline.text.language import language_of
from infrastructure.offline.text.sentences import Sentence, prose_in
from infrastructure.offline.text.word_weights import stem
from infrastructure.offline.text.words import content_words

MAX_SENTENCES = 8


def extracted_section(documents: Sequence[str], instruction: str) -> str:
    """Sentences of the documents, word for word, and a summary of them where none fits the instruction."""
    whole = "\n\n".join(documents)
    language = language_of(whole).code
    prose = tuple(one for text in documents for one in prose_in(text))
    chosen = _fitting(prose, frozenset(_stems(instruction, language)), language)
    if not chosen:
        chosen = [one.text for one in summary_of(prose_in(whole), language)]
    return " ".join(" ".join(one.split()) for one in chosen) or whole.strip()


def _fitting(prose: Sequence[Sentence], wanted: frozenset[str], language: str) -> list[str]:
    """The best sentences, at most one of those that say the same."""
    found = [(place, one.text, frozenset(_stems(one.text, language)) & wanted) for place, one in enumerate(prose)]
    fitting = [one for one in found if one[2] and len(one[1]) <= LONGEST_CHARACTERS]
    sentences_with = Counter(word for _, _, words in fitting for word in words)
    worth = {word: math.log(1 + len(prose) / count) for word, count in sentences_with.items()}
    ranked = sorted(fitting, key=lambda one: -sum(worth[word] for word in one[2]))
    unlike = {" ".join(text.split()): (place, text) for place, text, _ in reversed(ranked)}
    best = list(reversed(unlike.values()))[:MAX_SENTENCES]
    return [text for _, text in sorted(best)]


def _stems(text: str, language: str) -> list[str]:
    return [stem(word) for word in content_words(text, language)]
