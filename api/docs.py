"""Pages for people: the documentation, which needs nothing from the internet, and the way to everything else."""

from collections.abc import Awaitable, Callable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

import orjson

from api import asyncapi, problems
from api.answers import HTML, JSON, Answer, Header, Media
from api.endpoint import AnyEndpoint, Call, Empty, Endpoint
from api.openapi import document

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

# Swagger UI 4 shows a 3.1 document well, but looks at the version first and refuses it.
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

_LANDING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bucatini</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 4rem auto; padding: 0 1.5rem; }}
h1 {{ margin-bottom: 0; }}
p {{ margin-top: .3rem; }}
a {{ color: inherit; }}
pre {{ border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; overflow-x: auto; font-size: .85rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }}
dd {{ margin: 0; }}
</style>
</head>
<body>
<h1>Bucatini</h1>
<p>Jobs for documents: hand in a command, follow its events, fetch its result. Version {version}.</p>
<dl>
<dt><a href="/docs">/docs</a></dt><dd>the API, to read and to try</dd>
<dt><a href="/openapi.json">/openapi.json</a></dt><dd>the same for machines (OpenAPI 3.1)</dd>
<dt><a href="/asyncapi.json">/asyncapi.json</a></dt><dd>the events, and the ways to follow them (AsyncAPI 3.0)</dd>
<dt><a href="/healthz">/healthz</a></dt><dd>is this process alive</dd>
<dt><a href="/readyz">/readyz</a></dt><dd>can it do its work: each part, by name</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>what it counts, for Prometheus</dd>
</dl>
<pre>curl -H "Authorization: Bearer $KEY" \\
  -H "Content-Type: application/json" -H "Prefer: wait=10" \\
  -d '{{"title": "Note", "text": "Acme Ltd shall pay $500 by 1 May 2027."}}' \\
  http://HOST/api/ai/process-document</pre>
</body>
</html>
"""


def pages(described: tuple[AnyEndpoint, ...], version: str) -> tuple[AnyEndpoint, ...]:
    """The pages' own declarations. `described` is what the document tells of; the pages themselves aren't in it."""
    spec = orjson.dumps(document(described, version))
    events_spec = orjson.dumps(asyncapi.document(version))
    landing = _LANDING.format(version=escape(version)).encode()

    async def show_landing(call: Call[Empty, Empty]) -> Answer:
        return Answer(200, landing, HTML, PAGE_HEADERS)

    async def show_document(call: Call[Empty, Empty]) -> Answer:
        return Answer(200, spec, JSON, ((b"cache-control", b"no-cache"),))

    async def show_events_document(call: Call[Empty, Empty]) -> Answer:
        return Answer(200, events_spec, JSON, ((b"cache-control", b"no-cache"),))

    return (
        _page("/", "What is here", show_landing),
        _page("/docs", "The documentation", _show_docs),
        _page("/docs/{name}", "What the documentation is made of", _show_asset),
        _page("/openapi.json", "The OpenAPI document", show_document),
        _page("/asyncapi.json", "The AsyncAPI document", show_events_document),
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


def _page(path: str, summary: str, handle: Callable[[Call[Empty, Empty]], Awaitable[Answer]]) -> AnyEndpoint:
    return Endpoint(
        method="GET",
        path=path,
        summary=summary,
        handle=handle,
        answers={200: Media("text/html")},
        scope=None,
        listed=False,
    )
