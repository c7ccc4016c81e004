"""Serves the OpenAPI and AsyncAPI documents, and Swagger UI without any resource from the internet."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

from api.endpoint import AnyEndpoint, Call, Empty, Endpoint
from api.http import problems
from api.http.responses import HTML, JSON, Answer, Header, Media
from infrastructure.concurrency import watched

ASSETS: Final = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
}
_ASSET_FOLDER = "vendor/swagger-ui-4.15.5"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)
_CACHED: Final[Header] = (b"cache-control", b"public, max-age=86400")

_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bucatini · API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<p>Events and WebSocket messages: <a href="/asyncapi.json">/asyncapi.json</a></p>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The same in JSON: <a href="/openapi.json">/openapi.json</a></noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

# Swagger UI 4 renders OpenAPI 3.1 but rejects its version number.
_START = """"use strict";
fetch("/openapi.json").then(answer => answer.json()).then(document => {
  SwaggerUIBundle({
    spec: {...document, openapi: "3.0.3"},
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
    tryItOutEnabled: true,
    defaultModelsExpandDepth: 0,
  });
});
"""


class Document:
    """A document as JSON. It is written on a thread when somebody first asks: that takes as long as an ingress does to begin."""

    def __init__(self, describe: Callable[[], dict[str, Any]]) -> None:
        self._describe = describe
        self._writing: asyncio.Task[bytes] | None = None
        self._text: bytes | None = None

    async def show(self, call: Call[Empty, Empty]) -> Answer:
        if self._text is None:
            if self._writing is None or self._writing.done():
                self._writing = watched.start(asyncio.to_thread(self._written), "write a document")
            self._text = await asyncio.shield(self._writing)  # Whoever leaves before it is written leaves it to others.
        return Answer(200, self._text, JSON, ((b"cache-control", b"no-cache"),))

    def _written(self) -> bytes:
        return orjson.dumps(self._describe())


def pages(described: tuple[AnyEndpoint, ...], version: str) -> tuple[AnyEndpoint, ...]:
    """The endpoints of the documentation. `described` are those in the documents; these pages aren't listed."""

    def describe_api() -> dict[str, Any]:
        from api.documentation import openapi  # With the examples, each of which makes a model be built.

        return openapi.document(described, version)

    def describe_events() -> dict[str, Any]:
        from api.documentation import asyncapi

        return asyncapi.document(version)

    return (
        page("/docs", "The documentation", _show_docs),
        page("/docs/{name}", "What the documentation is made of", _show_asset),
        page("/openapi.json", "The OpenAPI document", Document(describe_api).show),
        page("/asyncapi.json", "The AsyncAPI document", Document(describe_events).show),
    )


async def _show_docs(call: Call[Empty, Empty]) -> Answer:
    return Answer(200, _DOCS.encode(), HTML, PAGE_HEADERS)


async def _show_asset(call: Call[Empty, Empty]) -> Answer:
    name = call.path["name"]
    if name == "start.js":
        return Answer(200, _START.encode(), ASSETS["swagger-ui-bundle.js"], (_CACHED,))
    if name not in ASSETS:
        raise problems.not_found("page")
    return Answer(200, _asset(name), ASSETS[name], (_CACHED,))


@cache
def _asset(name: str) -> bytes:
    return (files("swagger_ui_bundle") / _ASSET_FOLDER / name).read_bytes()


def page(path: str, summary: str, handle: Callable[[Call[Empty, Empty]], Awaitable[Answer]]) -> AnyEndpoint:
    """The endpoint of a page or asset: without authentication, and not in the OpenAPI document."""
    return Endpoint(
        method="GET",
        path=path,
        summary=summary,
        handle=handle,
        answers={200: Media("text/html")},
        scope=None,
        listed=False,
    )
