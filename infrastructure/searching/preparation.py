"""Prepares a query for an engine: what was typed becomes clauses, and these are widened by the tenant's synonyms."""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from infrastructure.ports.searching import SynonymsOfTenants
from infrastructure.searching.synonyms import Thesaurus, thesaurus_of, widened
from infrastructure.searching.typed import typed, with_some_words
from schemas.search import Filters, SearchQuery, Synonyms

MAX_THESAURI: Final = 500


@dataclass(frozen=True, slots=True)
class Prepared:
    searched: SearchQuery
    """For an engine: it has a match and no text."""
    digest: bytes
    """Of all that decides what is answered."""
    pages: bytes
    """The same for all pages of a search: also for those with other offsets."""


class Preparation:
    def __init__(self, synonyms: SynonymsOfTenants) -> None:
        self._synonyms = synonyms
        self._thesauri: OrderedDict[UUID, tuple[Synonyms, Thesaurus]] = OrderedDict()

    async def prepare(self, tenant_id: UUID, query: SearchQuery, *, is_wide: bool = False) -> Prepared:
        """Wide, it finds documents with some of the words as well. Unavailable when the tenant's synonyms can't be read."""
        asked = canonical(query.model_copy(update={"cursor": None}))
        match = typed(query.text).match if query.text is not None else query.match
        if match is not None and is_wide:
            match = with_some_words(match) or match
        if match is not None and query.synonyms:
            match = widened(match, await self._thesaurus_of(tenant_id))
        searched = asked.model_copy(update={"text": None, "match": match})
        return Prepared(searched, _digest(asked, searched), _digest(*map(_first_page, (asked, searched))))

    async def _thesaurus_of(self, tenant_id: UUID) -> Thesaurus:
        synonyms = await self._synonyms.of(tenant_id)
        known = self._thesauri.get(tenant_id)
        if known is None or known[0] is not synonyms:
            known = self._thesauri[tenant_id] = (synonyms, thesaurus_of(synonyms))
        self._thesauri.move_to_end(tenant_id)
        if len(self._thesauri) > MAX_THESAURI:
            self._thesauri.popitem(last=False)
        return known[1]


def canonical(query: SearchQuery) -> SearchQuery:
    """The same for queries that differ only in what makes no difference: spaces, and the order of a filter's values."""
    values: dict[str, Any] = {
        name: tuple(sorted(set(given)))
        for name in Filters.model_fields
        if isinstance(given := getattr(query.filters, name), tuple) and given
    }
    text = None if query.text is None else " ".join(query.text.split())
    filters = query.filters.model_copy(update=values) if values else query.filters
    return query.model_copy(update={"text": text, "filters": filters})


def _first_page(query: SearchQuery) -> SearchQuery:
    return query.model_copy(update={"offset": 0})


def _digest(*queries: SearchQuery) -> bytes:
    hashed = sha256()
    for query in queries:
        hashed.update(query.model_dump_json().encode())
        hashed.update(b"\n")
    return hashed.digest()
