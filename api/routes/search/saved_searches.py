"""Saved searches: sets, shows and removes them. The job that compares documents with them follows each that indexes some."""

from typing import Any, Final

from uuid_utils.compat import uuid7

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http import problems
from api.http.responses import UNSHARED, Answer, NoBody, json_answer
from api.http.validation import model_of
from infrastructure.key_vault.cells import saved_search_cell
from infrastructure.postgres.keys.sealing import write_sealed
from infrastructure.postgres.search import saved_searches
from infrastructure.postgres.session import Connection
from schemas.model import Model
from schemas.problems import Problem
from schemas.search import (
    MAX_SAVED_SEARCHES,
    NamedSavedSearch,
    NewSavedSearch,
    SavedSearch,
    SavedSearches,
    SavedSearchName,
)

PATH: Final = "/api/search/saved"
WHAT: Final = "saved search"


class _Named(Model):
    name: SavedSearchName


async def list_searches(call: Call[Empty, Empty]) -> Answer:
    found = await call.db.run(saved_searches.all_searches)
    opened = [await saved_searches.opened(call.ingress.sealer, call.tenant_id, one) for one in found]
    return json_answer(200, SavedSearches(searches=tuple(opened)), UNSHARED)


async def show_search(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, await _existing(call, call.path["name"]), UNSHARED)


async def add_search(call: Call[NewSavedSearch, Empty]) -> Answer:
    """201 with the search; 409 when there is one of this name."""
    search = SavedSearch(query=call.body.query, description=call.body.description)
    stored = await _write(call, call.body.name, search, may_replace=False)
    return json_answer(201, stored, (b"location", f"{PATH}/{stored.name}".encode()))


async def set_search(call: Call[SavedSearch, Empty]) -> Answer:
    """200 with the search as it is now. Repeating it is safe: the same query is told of no document again."""
    name = model_of(_Named, {"name": call.path["name"]}).name
    return json_answer(200, await _write(call, name, call.body, may_replace=True))


async def remove_search(call: Call[Empty, Empty]) -> Answer:
    if not await call.db.run(saved_searches.remove_search, call.path["name"]):
        raise problems.not_found(WHAT)
    return Answer(204)


async def _write(call: Call[Any, Any], name: str, search: SavedSearch, *, may_replace: bool) -> NamedSavedSearch:
    tenant_id, cell = call.tenant_id, str(uuid7())
    standing = await call.db.run(saved_searches.one_search, name)
    before = None if standing is None else await saved_searches.opened(call.ingress.sealer, tenant_id, standing)

    async def write(connection: Connection, content: bytes) -> NamedSavedSearch:
        cells = await saved_searches.cells_locked(connection, tenant_id)
        if name in cells and not may_replace:
            raise _name_taken(name)
        if name not in cells and len(cells) >= MAX_SAVED_SEARCHES:
            raise _too_many()
        unchanged = standing is not None and standing.cell == cells.get(name)
        same_query = unchanged and before is not None and before.query == search.query
        at = await saved_searches.set_search(connection, tenant_id, name, cell, content, keep_matches=same_query)
        return NamedSavedSearch(name=name, updated_at=at, **dict(search))

    place = saved_search_cell(tenant_id, cell)
    return await write_sealed(call.ingress.pool, call.ingress.sealer, place, search.model_dump_json(), write)


async def _existing(call: Call[Any, Any], name: str) -> NamedSavedSearch:
    found = await call.db.run(saved_searches.one_search, name)
    if found is None:
        raise problems.not_found(WHAT)
    return await saved_searches.opened(call.ingress.sealer, call.tenant_id, found)


def _name_taken(name: str) -> problems.Refusal:
    detail = f"You have a saved search {name!r} already. Choose another name, or PUT {PATH}/{name} to change it."
    return problems.Refusal(Problem.of("name-taken", "The name is taken", 409, detail))


def _too_many() -> problems.Refusal:
    detail = f"You have {MAX_SAVED_SEARCHES} saved searches, the most there may be. Remove one, or change one."
    return problems.Refusal(Problem.of("too-many-saved-searches", "There are too many saved searches", 409, detail))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        summary="List saved searches",
        handle=list_searches,
        answers={200: SavedSearches},
        scope=Scope.SEARCH_READ,
    ),
    Endpoint(
        method="POST",
        path=PATH,
        summary="Save a search",
        description=(
            "From now on each new document, and each new version, that matches is told of by the event `search.saved_matched`, "
            "unless the version before matched as well. A webhook or an event stream brings it. At most "
            f"{MAX_SAVED_SEARCHES} may be saved."
        ),
        handle=add_search,
        body=NewSavedSearch,
        answers={201: NamedSavedSearch},
        scope=Scope.SEARCH_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/{{name}}",
        summary="Show a saved search",
        handle=show_search,
        answers={200: NamedSavedSearch},
        scope=Scope.SEARCH_READ,
        problems=(404,),
    ),
    Endpoint(
        method="PUT",
        path=f"{PATH}/{{name}}",
        summary="Set a saved search",
        description="It is made if it isn't there. With another query it begins anew: what matches is told of once more.",
        handle=set_search,
        body=SavedSearch,
        answers={200: NamedSavedSearch},
        scope=Scope.SEARCH_WRITE,
        problems=(409, 422),
    ),
    Endpoint(
        method="DELETE",
        path=f"{PATH}/{{name}}",
        summary="Remove a saved search",
        handle=remove_search,
        answers={204: NoBody()},
        scope=Scope.SEARCH_WRITE,
        problems=(404,),
    ),
)
