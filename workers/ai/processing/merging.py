"""Puts what was found in the parts of a text together: in the text's order, and what is the same once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from events.ai import DefinedTerm, KeyPhrase, LeftOut, Party, Quote
from infrastructure.ports.ai.reading import MAX_OF_A_KIND, MAX_PHRASES, MAX_SUMMARY
from workers.ai.processing.facts import FoundFacts
from workers.ai.quoting import one_line

Q = TypeVar("Q", bound=Quote)
PHRASE_COUNTS_FROM = 1.0


def merged_facts(parts: Sequence[tuple[int, FoundFacts]]) -> FoundFacts:
    """Of all parts, each with its offset. The same for the same parts."""
    if len(parts) == 1 and parts[0][0] == 0:
        return parts[0][1]
    shifted = [_shifted(offset, found) for offset, found in parts]
    dates = [date for one in shifted for date in one.dates]
    amounts = [amount for one in shifted for amount in one.amounts]
    parties = _folded(
        (party for one in shifted for party in one.parties), lambda one: one.name.casefold(), _joined_parties
    )
    terms = _folded(
        (term for one in shifted for term in one.defined_terms), lambda one: one.text.casefold(), _joined_terms
    )
    best = sorted((one for found in shifted for one in found.summary), key=lambda one: -one.score)[:MAX_SUMMARY]
    return FoundFacts(
        summary=tuple(sorted(best, key=lambda one: one.offset)),
        key_phrases=_ranked([one.key_phrases for one in shifted]),
        dates=tuple(dates[:MAX_OF_A_KIND]),
        amounts=tuple(amounts[:MAX_OF_A_KIND]),
        parties=tuple(parties[:MAX_OF_A_KIND]),
        defined_terms=tuple(terms[:MAX_OF_A_KIND]),
        left_out=LeftOut(
            dates=sum(one.left_out.dates for one in shifted) + _beyond(dates),
            amounts=sum(one.left_out.amounts for one in shifted) + _beyond(amounts),
            parties=sum(one.left_out.parties for one in shifted) + _beyond(parties),
            defined_terms=sum(one.left_out.defined_terms for one in shifted) + _beyond(terms),
        ),
    )


def _beyond(found: Sequence[object]) -> int:
    return max(len(found) - MAX_OF_A_KIND, 0)


def _shifted(offset: int, found: FoundFacts) -> FoundFacts:
    return FoundFacts(
        summary=_moved(found.summary, offset),
        key_phrases=_moved(found.key_phrases, offset),
        dates=_moved(found.dates, offset),
        amounts=_moved(found.amounts, offset),
        parties=_moved(found.parties, offset),
        defined_terms=tuple(
            term.model_copy(update={"definition": _moved((term.definition,), offset)[0]}) if term.definition else term
            for term in _moved(found.defined_terms, offset)
        ),
        left_out=found.left_out,
    )


def _moved(quotes: tuple[Q, ...], offset: int) -> tuple[Q, ...]:
    return tuple(one.model_copy(update={"offset": one.offset + offset}) for one in quotes)


def _folded(found: Iterable[Q], key: Callable[[Q], str], joined: Callable[[Q, Q], Q]) -> list[Q]:
    """Each once, where it comes first."""
    known: dict[str, Q] = {}
    for one in found:
        name = key(one)
        known[name] = joined(known[name], one) if name in known else one
    return list(known.values())


def _joined_parties(first: Party, again: Party) -> Party:
    return first.model_copy(
        update={
            "mentions": first.mentions + again.mentions,
            "role": first.role or again.role,
            "legal_form": first.legal_form or again.legal_form,
        }
    )


def _joined_terms(first: DefinedTerm, again: DefinedTerm) -> DefinedTerm:
    """Where it is defined first; a definition counts for more than a name in brackets."""
    return again if first.definition is None and again.definition is not None else first


def _joined_phrases(first: KeyPhrase, again: KeyPhrase) -> KeyPhrase:
    return first.model_copy(
        update={
            "occurrences": first.occurrences + again.occurrences,
            "relevance": min(first.relevance + again.relevance, PHRASE_COUNTS_FROM),
        }
    )


def _ranked(parts: Sequence[tuple[KeyPhrase, ...]]) -> tuple[KeyPhrase, ...]:
    """The best of all parts: what stands out in several counts for more, and of equals what comes first."""
    folded = _folded(
        (one for part in parts for one in part), lambda one: one_line(one.text).casefold(), _joined_phrases
    )
    ranked = sorted(folded, key=lambda one: (-one.relevance, -one.occurrences, one.offset))[:MAX_PHRASES]
    return tuple(
        one.model_copy(update={"relevance": round(1.0 - rank / MAX_PHRASES, 2)}) for rank, one in enumerate(ranked)
    )
