"""Lists slow searches, and says how a search could be asked to find the same sooner."""

from uuid import UUID

from api.endpoint import Call, Empty
from api.http import problems
from api.http.pagination import PageQuery, page_of
from api.http.responses import UNSHARED, Answer, json_answer
from infrastructure.celery.keys import NORMAL_STEP
from infrastructure.postgres.search import slow_queries
from schemas.search import AdviceRequest, SearchQuery, SlowQueries


async def list_slow_queries(call: Call[Empty, PageQuery]) -> Answer:
    queries, following = await page_of(
        call,
        "slow searches",
        lambda before, limit: call.db.run(slow_queries.slow_queries, before=before, limit=limit),
    )
    return json_answer(200, SlowQueries(queries=queries, next_cursor=following), UNSHARED)


async def advise(call: Call[AdviceRequest, Empty]) -> Answer:
    query = call.body.query
    if call.body.slow_query_id is not None:
        query = await _slow_query(call, call.body.slow_query_id)
    assert query is not None, "its model has one of the two"
    # Many searches one after another: few at a time, so that they slow down nobody's.
    async with call.ingress.reports.one(NORMAL_STEP, call.tenant_id):
        advice = await call.ingress.searching.advising.advise(call.tenant_id, query)
    return json_answer(200, advice, UNSHARED)


async def _slow_query(call: Call[AdviceRequest, Empty], query_id: UUID) -> SearchQuery:
    sealed = await call.db.run(slow_queries.slow_query, query_id)
    if sealed is None:
        raise problems.not_found("slow search")
    query = await slow_queries.opened_query(call.ingress.sealer, call.tenant_id, query_id, sealed)
    if query is None:
        raise problems.not_found("slow search")
    return query
