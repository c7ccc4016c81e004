"""Examples of search, workflows and keys, and of what operators ask."""

from api.documentation.examples.jobs import A_SECOND_LATER, JOB_ID, NOON, OTHER_JOB_ID
from schemas.api_keys import ApiKey, ApiKeyCreated, ApiKeys, NewApiKey
from schemas.health import Alive, Part, PartState, Readiness, Ready
from schemas.keys import KeyState, TenantKey, TenantKeys
from schemas.search import (
    AllTerms,
    Facet,
    FacetField,
    FacetValue,
    Filters,
    Hit,
    Mark,
    SearchQuery,
    SearchResults,
    Snippet,
)
from schemas.workflow import InstanceStatus, StepTaken, WorkflowInstance

_KEY = ApiKey(id="k3Yq9ZtR1bXw", name="billing service", scopes=("jobs:read", "jobs:write"), created_at=NOON)

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
        facets=(Facet(field=FacetField.DOCUMENT_TYPE, values=(FacetValue(value="lease", count=1),), others=0),),
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
    NewApiKey.model_validate({"name": "billing service", "scopes": ["jobs:read", "jobs:write"]}),
)
