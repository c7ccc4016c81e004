"""Which words does the text give a meaning of its own?"""

import re
from collections.abc import Iterator

from events.ai import DefinedTerm, Quote
from infrastructure.offline import lexicons

LONGEST_DEFINITION_CHARACTERS = 400

_QUOTED = re.compile(
    r"[“„\"]\s?(?P<curly>[^\W_][^“”„\"\n]{0,79}?)\s?[”“\"]"
    r"|«\s?(?P<angled>[^\W_][^«»\n]{0,79}?)\s?»"
    r"|\*\*(?P<bold>[^\W_][^*\n]{0,79})\*\*"
)
_MEANS = re.compile(
    r"[*”\"»]{0,3}[ \n:,–—-]{1,4}(?:shall[ \n])?"
    r"(?:means?|has[ \n]the[ \n]meaning|refers[ \n]to|is[ \n]defined[ \n]as"
    r"|bezeichnet|bedeutet|meint|sind|ist|désigne|désignent|signifie)\b"
    r"[:,]?[ \n]{1,2}"
)
_BRACKET = re.compile(r"[()]")
_BRACKET_REACH = 160
_NAMING_WORDS = lexicons.words("naming_words")
_NAMING_AHEAD = re.compile(
    r"(?:hereinafter|hereafter|nachfolgend|nachstehend|im[ \n]folgenden|ci-après)\b[^()“”„\"«».\n]{0,60}\Z",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?")


def terms_in(text: str) -> list[DefinedTerm]:
    """Every defined term once, where it is defined first, in order."""
    terms: dict[str, DefinedTerm] = {}
    for term in _definitions(text):
        known = terms.get(term.text.casefold())
        if known is None or (known.definition is None and term.definition is not None):
            terms[term.text.casefold()] = term
    return sorted(terms.values(), key=lambda term: term.offset)


def _definitions(text: str) -> Iterator[DefinedTerm]:
    for match in _QUOTED.finditer(text):
        group = match.lastgroup or ""
        word, offset = match[group], match.start(group)
        if means := _MEANS.match(text, match.end()):
            yield DefinedTerm(text=word, offset=offset, definition=_definition(text, means.end()))
        elif group != "bold" and (_is_bracketed_name(text, match) or _is_announced(text, match.start())):
            yield DefinedTerm(text=word, offset=offset, definition=None)


_END = re.compile(r"[.;](?=\s|\Z)|\n\s*\n|\n[ \t]*(?:[-*•|#]|\(?[a-z0-9]{1,3}[.)])")


def _definition(text: str, start: int) -> Quote | None:
    """What follows up to the end of the sentence, or as much of it as is shown."""
    limit = min(len(text), start + LONGEST_DEFINITION_CHARACTERS)
    end = _END.search(text, start, limit)
    if end is None and limit < len(text):
        limit = max(text.rfind(" ", start, limit), start)
    meaning = text[start : end.start() if end else limit].rstrip()
    return Quote(text=meaning, offset=start) if meaning else None


def _is_bracketed_name(text: str, quoted: re.Match[str]) -> bool:
    """As in `(the "Supplier")`, `(together, the "Parties")`, `(nachfolgend „Auftraggeber“ genannt)`."""
    before = text[max(0, quoted.start() - _BRACKET_REACH) : quoted.start()]
    opening = before.rfind("(")
    closing = _BRACKET.search(text, quoted.end(), quoted.end() + _BRACKET_REACH)
    if opening < 0 or ")" in before[opening:] or closing is None or closing.group() != ")":
        return False
    ahead = _QUOTED.sub(" ", before[opening + 1 :])
    return all(word.casefold() in _NAMING_WORDS for word in _WORD.findall(ahead))


def _is_announced(text: str, start: int) -> bool:
    """As in `– nachfolgend „Auftraggeber“ –`, where no bracket says so."""
    return _NAMING_AHEAD.search(text[max(0, start - 80) : start]) is not None
