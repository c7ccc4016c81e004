"""Examples of search, workflows and keys, and of what operators ask."""

from api.documentation.examples.jobs import A_SECOND_LATER, JOB_ID, NOON, OTHER_JOB_ID
from schemas.api_keys import ApiKey, ApiKeyCreated, ApiKeys, NewApiKey
from schemas.health import Alive, Part, PartState, Readiness, Ready
from schemas.keys import KeyState, TenantKey, TenantKeys
from schemas.search import (
    Advice,
    AdviceRequest,
    AllTerms,
    Facet,
    FacetCounts,
    FacetField,
    FacetValue,
    Filters,
    Hit,
    Indexes,
    IndexGeneration,
    IndexRemoval,
    Mark,
    NamedSavedSearch,
    NewSavedSearch,
    QueryShape,
    Reindex,
    Rewrite,
    RewriteOutcome,
    RollBack,
    Rule,
    SavedSearch,
    SavedSearches,
    SearchQuery,
    SearchResults,
    SlowQueries,
    SlowQuery,
    Snippet,
    StoredSynonyms,
    Suggestion,
    Suggestions,
    SynonymGroup,
    SynonymRule,
    Synonyms,
    SynonymSet,
)
from schemas.workflow import InstanceStatus, StepTaken, WorkflowInstance

_KEY = ApiKey(id="k3Yq9ZtR1bXw", name="billing service", scopes=("jobs:read", "jobs:write"), created_at=NOON)

_LEASES = Facet(field=FacetField.DOCUMENT_TYPE, values=(FacetValue(value="lease", count=1),), others=0)
_SYNONYMS = Synonyms(
    sets=(SynonymSet.LEGAL,),
    groups=(SynonymGroup(terms=("NDA", "non-disclosure agreement", "secrecy undertaking")),),
    rules=(SynonymRule(term="premises", finds=("office", "warehouse")),),
)
_OVERDUE = SavedSearch(query=SearchQuery(text='"rent is overdue"'), description="For the morning")
_SAVED = NamedSavedSearch(name="overdue-leases", updated_at=NOON, **dict(_OVERDUE))

ANSWERS = (
    SearchResults(
        total=1,
        hits=(
            Hit(
                document_id="contracts/2026/0117",
                score=3.2,
                title="Lease",
                snippet=Snippet(text="The rent is EUR 1,250.00.", marks=(Mark(start=4, end=8),)),
                document_type="lease",
                industry=None,
                language="en",
                tags=("2026",),
                created_at=NOON,
                version=1,
            ),
        ),
        facets=(_LEASES,),
    ),
    Suggestions(
        suggestions=(
            Suggestion(text="Notice period of the lease", document_id="contracts/2026/0117", documents=1),
            Suggestion(text="notice", document_id=None, documents=12),
        )
    ),
    FacetCounts(total=1, facets=(_LEASES,)),
    _SAVED,
    SavedSearches(searches=(_SAVED,)),
    IndexRemoval(id="contracts/2026/0117", job_id=JOB_ID),
    Indexes(
        indexes=(
            IndexGeneration(
                name="mzxw6ytboi3diojx",
                generation="v3-1f0a92c5d6e7b8a9",
                answers=True,
                documents=8_214,
                bytes=31_457_280,
                created_at=NOON,
            ),
        )
    ),
    StoredSynonyms(**_SYNONYMS.model_dump(), version=2, updated_at=NOON, updated_by="key k3Yq9ZtR1bXw"),
    SlowQueries(
        queries=(
            SlowQuery(
                id=JOB_ID,
                at=NOON,
                took_seconds=0.41,
                hits=8_214,
                shape=QueryShape(
                    ops={"all_terms~": 1},
                    words=3,
                    levels=1,
                    filters=("document_types",),
                    facets=(FacetField.DOCUMENT_TYPE,),
                    sort=None,
                    highlight=True,
                    limit=10,
                    offset=0,
                    deep=False,
                ),
                replayable=True,
            ),
        )
    ),
    Advice(
        took_seconds=0.38,
        hits=8_214,
        runs=7,
        rewrites=(
            Rewrite(
                rule=Rule.EXACT_WORDS,
                why="words that documents have needn't be looked for with typing errors",
                outcome=RewriteOutcome.FASTER,
                gain=3.4,
                query=SearchQuery(match=AllTerms(op="all_terms", text="rent of the premises")),
            ),
        ),
    ),
    WorkflowInstance(
        id=JOB_ID,
        status=InstanceStatus.RUNNING,
        state="Index",
        data={"title": "Lease"},
        steps=(StepTaken(state="Read", job_id=OTHER_JOB_ID),),
        version=2,
        created_at=NOON,
        updated_at=A_SECOND_LATER,
    ),
    TenantKeys(keys=(TenantKey(version=2, state=KeyState.ACTIVE, master_key_id="local/1", created_at=NOON),)),
    ApiKeys(keys=(_KEY,)),
    ApiKeyCreated(**_KEY.model_dump(), key="bct_k3Yq9ZtR1bXw_this-is-an-example-and-opens-nothing-0000000"),
    Alive(),
    Ready(status=Readiness.READY, parts=(Part(name="postgres", state=PartState.OK, milliseconds=0.8),)),
)
REQUESTS = (
    SearchQuery(
        match=AllTerms(op="all_terms", text="rent of the premises"),
        filters=Filters(document_types=("lease",)),
        facets=(FacetField.DOCUMENT_TYPE,),
    ),
    _SYNONYMS,
    _OVERDUE,
    NewSavedSearch(name="overdue-leases", **dict(_OVERDUE)),
    Reindex(),
    RollBack(),
    AdviceRequest(slow_query_id=JOB_ID),
    NewApiKey.model_validate({"name": "billing service", "scopes": ["jobs:read", "jobs:write"]}),
)
