"""The addresses of search."""

from typing import Final

from api.auth.principal import Scope
from api.endpoint import Endpoint
from api.http.pagination import PageQuery
from api.routes.search import indexing, saved_searches
from api.routes.search.queries import FacetQuery, SuggestQuery, count_facets, search, suggest
from api.routes.search.slow_queries import advise, list_slow_queries
from api.routes.search.synonyms import set_synonyms, show_synonyms
from schemas.search import (
    Advice,
    AdviceRequest,
    FacetCounts,
    SearchQuery,
    SearchResults,
    SlowQueries,
    StoredSynonyms,
    Suggestions,
    Synonyms,
)

PATH: Final = "/api/search"
ADVISE_SECONDS: Final = 120.0

ENDPOINTS = (
    *indexing.ENDPOINTS,
    *saved_searches.ENDPOINTS,
    Endpoint(
        method="POST",
        path=f"{PATH}/advanced",
        while_suspended=True,
        aliases=(f"{PATH}/query",),
        summary="Search documents",
        description=(
            "In the tenant's own documents, with filters, facets and snippets. Makes no job. `text` is read as a person types "
            "it: words that must all occur, `OR` between neighbours, a phrase in quotation marks, `-without`, `begin*`. With "
            "fewer than three hits `did_you_mean` may have another spelling, which has hits; with none, the hits are those of "
            "that spelling, and `corrected` says so. Where fewer than ten documents have all words, those with some come behind "
            "them, and `widened` says so. `next_cursor` is valid for the same search of the same tenant only."
        ),
        handle=search,
        body=SearchQuery,
        answers={200: SearchResults},
        scope=Scope.SEARCH_READ,
        problems=(400,),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/suggest",
        aliases=(f"{PATH}/autocomplete",),
        summary="Complete what is being typed",
        description=(
            "Titles and words that begin so, of documents that pass the filters. Where nothing does, `did_you_mean` may have "
            "another spelling of the whole words."
        ),
        handle=suggest,
        query=SuggestQuery,
        answers={200: Suggestions},
        scope=Scope.SEARCH_READ,
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/facets",
        summary="Count values of fields",
        description="Of documents that match and pass the filters. A field's own filter doesn't narrow its counts.",
        handle=count_facets,
        query=FacetQuery,
        answers={200: FacetCounts},
        scope=Scope.SEARCH_READ,
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/synonyms",
        summary="Show the synonyms",
        handle=show_synonyms,
        answers={200: StoredSynonyms},
        scope=Scope.SEARCH_READ,
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/synonyms",
        summary="Set the synonyms",
        description=(
            "Replaces them all. Searches that begin two seconds later have them; cursors of earlier ones end then. Words that "
            "must occur are looked for with their synonyms, which weigh less than what was written; phrases, excluded words "
            "and the beginnings of words are left as they are."
        ),
        handle=set_synonyms,
        body=Synonyms,
        answers={200: StoredSynonyms},
        scope=Scope.SEARCH_WRITE,
        headers=("known-if-match",),
        problems=(412, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/slow-queries",
        summary="List slow searches",
        description=(
            "Those that took longer than SEARCH_SLOW_SECONDS, the newest first, without a word of what was looked for. The "
            "newest 200 are kept."
        ),
        handle=list_slow_queries,
        query=PageQuery,
        answers={200: SlowQueries},
        scope=Scope.SEARCH_READ,
        problems=(400,),
    ),
    Endpoint(
        method="POST",
        path=f"{PATH}/advise",
        while_suspended=True,
        summary="Find out how to ask for the same sooner",
        description=(
            "Replays the search, and what it could be rewritten to, several times in turn and past the cache. A rewrite is "
            "worth using where its `outcome` is `faster`: it had the same hits in the same order, and `gain` says how many "
            "times as fast it was. Changes nothing."
        ),
        handle=advise,
        body=AdviceRequest,
        answers={200: Advice},
        scope=Scope.SEARCH_READ,
        problems=(404, 422),
        seconds=ADVISE_SECONDS,
    ),
)
