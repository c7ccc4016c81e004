"""Elasticsearch's errors as what the port promises, in sentences that tell an operator what to do.

They quote nothing that the server says but the type of an unknown error: its reasons have documents in them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import elasticsearch
from elasticsearch import ApiError

from infrastructure.ports import Away, Refused, Unavailable
from infrastructure.ports.search import IndexMissing
from schemas.problems import Problem

FAULTS = (elasticsearch.ApiError, elasticsearch.TransportError, elasticsearch.UnsupportedProductError)
RETRY_SECONDS = 5.0
"""For a server that refuses because it has too much to do."""
WRONG_VERSION = "the server at ELASTICSEARCH_URL is no Elasticsearch 9: this release's client speaks to no older one, and to nothing else"
REASONS = {
    "cluster_block_exception": "Elasticsearch takes no writes, most likely since a disk is nearly full "
    "(flood-stage watermark): free some space there, or add a node",
    "circuit_breaking_exception": "Elasticsearch has no memory left for the request: see its heap",
    "es_rejected_execution_exception": "Elasticsearch has too much to do and rejects requests",
    "master_not_discovered_exception": "Elasticsearch's cluster has no master: start its nodes",
    "media_type_header_exception": WRONG_VERSION,
    "no_shard_available_action_exception": "Elasticsearch has lost a part of the index: start the nodes that hold it",
    "search_phase_execution_exception": "Elasticsearch couldn't search a part of the index: see its log",
    "unavailable_shards_exception": "Elasticsearch has lost a part of the index: start the nodes that hold it",
    "process_cluster_event_timeout_exception": "Elasticsearch's master has too much to do: see its log",
}
AT_STATUS = {
    401: "Elasticsearch refuses the key or the password: check ELASTICSEARCH_API_KEY, or user and password",
    403: "Elasticsearch's user may not do what is needed: give it the role in infrastructure/elasticsearch/configuration",
    408: "Elasticsearch took too long",
    429: REASONS["es_rejected_execution_exception"],
    502: "Elasticsearch can't be reached by what stands before it",
    503: "Elasticsearch isn't ready to serve: see its log",
    504: "Elasticsearch took too long",
}
NOT_SPOKEN = frozenset({400, 404, 406, 415})
"""How a server answers that doesn't know Elasticsearch's media types, or its paths."""
MISSING = frozenset({"index_not_found_exception", "alias_not_found_exception", "aliases_not_found_exception"})
TOO_LARGE = Problem.of(
    "too-large", "It is too large", 413, "Elasticsearch takes no request that large: send less of it."
)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raises Unavailable, IndexMissing or Refused in place of the client's errors."""
    try:
        yield
    except FAULTS as error:
        # With the client's error as its cause, a traceback would show what the server said.
        raise translation(error) from None


def translation(error: BaseException) -> Unavailable | Refused:
    """What the port promises in place of one of the client's FAULTS."""
    match error:
        case elasticsearch.UnsupportedProductError():
            return Away(WRONG_VERSION)
        case ApiError():
            return _answered(error)
        case elasticsearch.ConnectionTimeout():
            return Away("Elasticsearch didn't answer in time: see its load, or raise ELASTICSEARCH_SECONDS")
        case elasticsearch.SSLError():
            return Away(
                "Elasticsearch's certificate isn't trusted: name the one that signed it in ELASTICSEARCH_CA_FILE"
            )
        case elasticsearch.ConnectionError():
            return Away("Elasticsearch can't be reached: is it started, and is ELASTICSEARCH_URL right?")
        case _:
            return Away(f"Elasticsearch failed ({type(error).__name__}): see its log")


def type_of(body: Any) -> str:
    """The type that an error's body names, such as `version_conflict_engine_exception`; empty where there is none."""
    error = body.get("error") if isinstance(body, dict) else None
    named = error.get("type") if isinstance(error, dict) else None
    return named if isinstance(named, str) and named.isidentifier() else ""


def _answered(error: ApiError) -> Unavailable | Refused:
    status, kind = error.meta.status, type_of(error.body)
    if kind in MISSING:
        return IndexMissing("Elasticsearch has no such index: build it from the documents again")
    if kind in REASONS or status in AT_STATUS:
        wait = RETRY_SECONDS if status == 429 else None
        return Away(REASONS.get(kind) or AT_STATUS[status], retry_after_seconds=wait)
    if status in NOT_SPOKEN and "x-elastic-product" not in error.meta.headers:
        return Away(WRONG_VERSION)
    if status == 413:
        return Refused(TOO_LARGE)
    if status >= 500:
        return Away(f"Elasticsearch failed ({kind or status}): see its log")
    return Refused(f"Elasticsearch refuses the request ({kind or status})")
