"""Sends operations in bulk requests."""

from collections.abc import Sequence
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError, UnsupportedProductError

from infrastructure.elasticsearch.errors import translation, type_of
from infrastructure.elasticsearch.writing.changes import Operation, requests
from infrastructure.elasticsearch.writing.outcomes import Fate, Outcome, outcome_at, outcome_of
from infrastructure.ports import Unavailable
from infrastructure.ports.search import IndexMissing

ANSWERED = "items.*.status,items.*.error.type,items.*.error.caused_by.type"


async def send(client: AsyncElasticsearch, operations: Sequence[Operation]) -> list[Outcome]:
    """What became of each, in order. Raises Unavailable for what concerns none of them by itself."""
    return [outcome for request in requests(operations) for outcome in await _send(client, request)]


async def _send(client: AsyncElasticsearch, request: list[Operation]) -> list[Outcome]:
    # Lines that are made already; the client's types know of none.
    lines: Any = [line for operation in request for line in operation.lines()]
    try:
        answer = await client.bulk(operations=lines, filter_path=ANSWERED)
    except UnsupportedProductError as error:
        raise translation(error) from None
    except ApiError as error:
        if error.meta.status in (400, 413) and len(request) > 1:
            # One document may be what is wrong with all of it.
            half = len(request) // 2
            return [*await _send(client, request[:half]), *await _send(client, request[half:])]
        translated = translation(error)
        if error.meta.status in (401, 403) and not isinstance(translated, IndexMissing):
            raise translated from None
        return [outcome_at(error.meta.status, type_of(error.body))] * len(request)
    except TransportError as error:
        failure = translation(error)
        if not isinstance(failure, Unavailable):
            raise failure from None
        return [Outcome(Fate.AGAIN, str(failure))] * len(request)
    return [outcome_of(item) for item in answer["items"]]
