"""Serves the console: a single page for operators and tenants that uses only the public API with the user's key."""

from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

from api.documentation.pages import page
from api.endpoint import AnyEndpoint, Call, Empty
from api.http import problems
from api.http.conditional import unless_known
from api.http.responses import HTML, Answer, Header

FOLDER: Final = files("api.console") / "static"
PAGE: Final = "index.html"
MEDIA_TYPES: Final = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
# Jobs carry untrusted text. Trusted Types keep the page from ever using text as markup or script.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # Revalidated on each load (304), so that a page never runs with assets of another version.
    (b"cache-control", b"no-cache"),
)


def pages(version: str) -> tuple[AnyEndpoint, ...]:
    """The page and its assets, without authentication: the page asks for a key."""
    index = _part(PAGE).replace(b"{version}", escape(version).encode())

    async def show_page(call: Call[Empty, Empty]) -> Answer:
        return unless_known(Answer(200, index, HTML, _HEADERS), call.headers.get("if-none-match"))

    return (
        page("/", "The console", show_page),
        page("/console/{name}", "What the console is made of", _show_part),
    )


async def _show_part(call: Call[Empty, Empty]) -> Answer:
    name = call.path["name"]
    if name not in parts():
        raise problems.not_found("page")
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]
    return unless_known(Answer(200, _part(name), media_type, _HEADERS), call.headers.get("if-none-match"))


@cache
def parts() -> frozenset[str]:
    """The names of the files that may be served."""
    return frozenset(one.name for one in FOLDER.iterdir() if one.name.rpartition(".")[2] in MEDIA_TYPES)


@cache
def _part(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
