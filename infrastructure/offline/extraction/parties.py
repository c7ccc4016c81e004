"""Who are the companies and persons the text is about, and in which roles?"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from events.ai import DefinedTerm, Party
from infrastructure.offline import lexicons

ROLE_REACH_CHARACTERS = 500
LONGEST_NAME_WORDS = 7
LONGEST_NAME_CHARACTERS = 120
LONGEST_LABEL_CHARACTERS = 80

_FORM = re.compile(
    r"(?<=[ \n,])(?:"
    + "|".join(re.escape(form) for form in sorted(lexicons.lines("legal_forms"), key=len, reverse=True))
    + r")(?![\w&-])"
)
_CONNECTORS = frozenset(
    {"&", "+", "and", "et", "und", "of", "de", "du", "des", "der", "la", "le", "les", "für", "y", "e"}
)
_NOT_NAMES = lexicons.words("not_names")
_ROLES = lexicons.words("roles")


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    name: str
    form: str | None
    role: str | None


def parties_in(text: str, terms: list[DefinedTerm]) -> list[Party]:
    """Every company, and every person with a defined role, once, at the first mention, in order."""
    companies = list(_companies(text))
    roles = [term for term in terms if term.definition is None and _is_role(term.text)]
    placed = _with_defined_roles(companies, roles)
    claimed = {mention.role for mention in placed}
    persons = [
        person for term in roles if _bare_role(term.text) not in claimed for person in _person(text, term, placed)
    ]
    labelled = [mention if mention.role else _with_label(text, mention) for mention in placed]
    return _merged(text, sorted(labelled + persons, key=lambda mention: mention.start))


def _is_role(term: str) -> bool:
    words = term.casefold().split()
    return bool(words) and len(words) <= 4 and (words[-1] in _ROLES or (words[-1] == "party" and len(words) > 1))


_ARTICLE = re.compile(r"(?:the|le|la|les|der|die|das)\s|l['’]", re.IGNORECASE)


def _bare_role(term: str) -> str:
    article = _ARTICLE.match(term)
    return term[article.end() :] if article else term


_TOKEN = re.compile(r"\S+")
_EDGE = '*_|("“„«'
_LIST_MARK = re.compile(r"\(?[a-z0-9]{1,4}[.)]")
_BEFORE_OF = frozenset({"Bank", "House", "Institute", "Port", "Trust", "University"})


def _companies(text: str) -> Iterator[_Mention]:
    """Names are found from their end: from the legal form back over capitalised words, never across a blank line."""
    end = 0
    for form in _FORM.finditer(text):
        start = _name_start(text, max(end, form.start() - LONGEST_NAME_CHARACTERS), form.start())
        if start is None:
            continue
        end = form.end()
        name = " ".join(text[start:end].split())
        yield _Mention(start, end, name, form=" ".join(form.group().split()), role=None)


def _name_start(text: str, begin: int, end: int) -> int | None:
    start: int | None = None
    following = end
    tokens = list(_TOKEN.finditer(text, begin, end))[-LONGEST_NAME_WORDS:]
    for place in range(len(tokens) - 1, -1, -1):
        token, word = tokens[place], tokens[place].group()
        bare = word.lstrip(_EDGE)
        last = place == len(tokens) - 1
        if _parted(text, token, following, bare, last=last):
            break
        if bare[0].isupper() or (bare[0].isdigit() and not last):
            start = token.end() - len(bare)
        elif last or not _connects(bare, tokens[place - 1].group() if place else ""):
            break
        if len(bare) != len(word):
            break
        following = token.start()
    return start


def _parted(text: str, token: re.Match[str], following: int, bare: str, *, last: bool) -> bool:
    """Whether something stands between this word and the name: a blank line, a stop, or that it can't be in a name."""
    if not bare or text.count("\n", token.end(), following) > 1 or _LIST_MARK.fullmatch(bare):
        return True
    if bare[0].isupper() and bare.casefold() in _NOT_NAMES:
        return True
    # Initials keep their stop, and a comma may stand right before the legal form.
    return not last and len(bare) > 2 and bare[-1] in '.;:,!?)”"'


def _connects(word: str, before: str) -> bool:
    """Whether a small word joins two parts of a name: "Bank of Leith plc", but not "Ann Lee of Leith plc"."""
    return before.lstrip(_EDGE) in _BEFORE_OF if word == "of" else word.casefold() in _CONNECTORS


def _with_defined_roles(companies: list[_Mention], roles: list[DefinedTerm]) -> list[_Mention]:
    """A role belongs to the company named last before it, if not long before: `Acme Ltd, of …, (the "Supplier")`."""
    starts = [mention.start for mention in companies]
    placed = list(companies)
    for role in roles:
        place = bisect_right(starts, role.offset) - 1
        if place < 0 or placed[place].role or role.offset - placed[place].end > ROLE_REACH_CHARACTERS:
            continue
        mention = placed[place]
        placed[place] = replace(mention, role=_bare_role(role.text))
    return placed


_LABEL = re.compile(r"[\W_]{0,6}(?P<label>[^\W\d_][^:|\n]{1,40}?)[\W_]{0,6}[:|–-][\W_]{0,6}\Z")


def _with_label(text: str, mention: _Mention) -> _Mention:
    """As in `Landlord: Acme Ltd`, or the same in a table's row."""
    line = text[max(0, mention.start - LONGEST_LABEL_CHARACTERS) : mention.start].rpartition("\n")[2]
    label = _LABEL.fullmatch(line)
    if label is None or not _is_role(label["label"]):
        return mention
    return replace(mention, role=_bare_role(label["label"]))


_PERSON = re.compile(
    r"(?:(?:Mr|Mrs|Ms|Dr|Herr|Herrn|Frau|M|Mme|Prof)\.?[ \n])?"
    r"[A-ZÀ-ÖØ-Þ][\w’'-]{1,30}(?:[ \n](?:[A-ZÀ-Þ]\.|van|von|de|der|[A-ZÀ-ÖØ-Þ][\w’'-]{1,30})){1,4}"
)
_PERSON_REACH_CHARACTERS = 300
_CLAUSE_OPENER = re.compile(r"(?:\A|\n|\b(?:between|and|by|und|zwischen|et|entre)|:|\d\))[\s*_]{0,6}\Z", re.IGNORECASE)


def _person(text: str, role: DefinedTerm, companies: list[_Mention]) -> Iterator[_Mention]:
    """The name that opens the clause a role ends: `Margaret Ellison of 4 Mill Lane (the "Landlord")`."""
    earlier = bisect_right(companies, role.offset, key=lambda mention: mention.end)
    begin = max(companies[earlier - 1].end if earlier else 0, role.offset - _PERSON_REACH_CHARACTERS)
    begin = max(begin, text.rfind("\n\n", begin, role.offset))
    for match in _PERSON.finditer(text, begin, role.offset):
        ahead = text[max(begin, match.start() - 12) : match.start()]
        if _CLAUSE_OPENER.search(ahead):
            yield _Mention(
                match.start(), match.end(), " ".join(match.group().split()), form=None, role=_bare_role(role.text)
            )
            return


def _merged(text: str, mentions: list[_Mention]) -> list[Party]:
    by_name: dict[str, list[_Mention]] = {}
    for mention in mentions:
        by_name.setdefault(mention.name.casefold(), []).append(mention)
    return [
        Party(
            text=text[first.start : first.end],
            offset=first.start,
            name=next((mention.name for mention in all_mentions if not mention.name.isupper()), first.name),
            legal_form=first.form,
            role=next((mention.role for mention in all_mentions if mention.role), None),
            mentions=len(all_mentions),
        )
        for all_mentions in by_name.values()
        for first in all_mentions[:1]
    ]
