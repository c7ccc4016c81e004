"""Builds the ASGI application: every route, behind one middleware."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import TypedDict

from starlette.routing import Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.principal import Scope as KeyScope
from api.console import routes as console
from api.dependencies import Dependencies, open_dependencies
from api.dispatch import routes
from api.documentation.pages import pages
from api.endpoint import AnyEndpoint, all_paths
from api.http import problems
from api.middleware import Middleware
from api.routes import (
    api_keys,
    batches,
    events,
    failures,
    groups,
    health,
    holds,
    jobs,
    keys,
    kinds,
    replays,
    results,
    schedules,
    webhooks,
    why,
    workflow,
)
from api.routes.ai import credentials, estimates, providers, usage
from api.routes.ai.prompts import routes as prompts
from api.routes.documents import profiles
from api.routes.documents import routes as documents
from api.routes.search import routes as search
from api.routes.tenants import routes as tenants
from api.streams import websocket
from events.catalogue import Kind
from events.catalogue import kinds as known_kinds
from infrastructure.concurrency import watched
from infrastructure.concurrency.supervisor import Supervisor
from infrastructure.settings import Settings
from kinds.declaration import JobInvalid

# The busiest first: routes are tried in this order.
RESOURCES: tuple[AnyEndpoint, ...] = (
    *search.ENDPOINTS,
    *replays.ENDPOINTS,
    *batches.ENDPOINTS,  # Before the jobs: /api/jobs/{id} would match "batch" as an id.
    *jobs.ENDPOINTS,
    *why.ENDPOINTS,
    *results.ENDPOINTS,
    *failures.ENDPOINTS,
    *events.ENDPOINTS,
    *schedules.ENDPOINTS,
    *workflow.ENDPOINTS,
    *keys.ENDPOINTS,
    *holds.ENDPOINTS,
    *groups.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *api_keys.ENDPOINTS,
    *tenants.ENDPOINTS,
    *documents.ENDPOINTS,
    *profiles.ENDPOINTS,
    *usage.ENDPOINTS,
    *providers.ENDPOINTS,
    *credentials.ENDPOINTS,
    *estimates.ENDPOINTS,
    *prompts.ENDPOINTS,
    *health.ENDPOINTS,
)


def check_kinds() -> None:
    """Raises JobInvalid when a kind has an address of the ingress's own, or needs a scope that no key can have."""
    own = {path for method, path in all_paths(RESOURCES) if method == "POST"}
    for kind in known_kinds():
        command = kind.command
        for path in (kind.path, *command.aliases):
            if path in own:
                raise JobInvalid(f"{kind.name}: POST {path} is an address of the ingress's own; choose another route")
        if command.scope not in {scope.value for scope in KeyScope}:
            known = ", ".join(KeyScope)
            raise JobInvalid(f"{kind.name}: there is no scope {command.scope!r}; known are {known}")


def described() -> tuple[AnyEndpoint, ...]:
    """Every endpoint that the OpenAPI document has, those of the kinds that are known now first."""
    return _described(tuple(known_kinds()))


@cache
def _described(of: tuple[Kind, ...]) -> tuple[AnyEndpoint, ...]:
    return (*kinds.endpoints(of), *RESOURCES)


class State(TypedDict):
    """The lifespan state that Starlette puts into every request's scope."""

    ingress: Dependencies


def build(settings: Settings, closing: asyncio.Event, supervisor: Supervisor) -> ASGIApp:
    """The application, whose loops the supervisor runs. Setting `closing` ends everything long-lived: event streams and
    long polls.

    It is Starlette's router without its application class: that class adds two layers whose work `Middleware` does already,
    and every event of every stream would pass through them.
    """
    endpoints = described()
    router = Router(
        routes=[
            *routes((*endpoints, *pages(endpoints, product_version()), *console.pages(product_version()))),
            WebSocketRoute(websocket.PATH, websocket.WebSocketEndpoint()),
        ],
        default=_not_found,
        lifespan=_lifespan(settings, closing, supervisor),
        # A redirect would be built from the Host header, which the client controls.
        redirect_slashes=False,
    )
    return Middleware(router)


def product_version() -> str:
    try:
        return version_of("bucatini")
    except PackageNotFoundError:
        return "0.0.0"


def _lifespan(
    settings: Settings, closing: asyncio.Event, supervisor: Supervisor
) -> Callable[[object], AbstractAsyncContextManager[State]]:
    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[State]:
        async with open_dependencies(settings, supervisor) as ingress:
            ending = watched.start(_end_streams(ingress, closing), name="ends streams at shutdown")
            yield {"ingress": ingress}
            ending.cancel()

    return lifespan


async def _end_streams(ingress: Dependencies, closing: asyncio.Event) -> None:
    await closing.wait()
    ingress.hub.end_streams()


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise problems.not_found()
