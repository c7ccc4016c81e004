"""Opens the console as somebody with a key."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.browser import Browser, Page
from tests.integration.serving import Tenant, World

CONTRAST: Final = (Path(__file__).parent / "contrast.js").read_text()
"""Comes to what can't be read on what it stands on."""


@contextmanager
def console(browser: Browser, served: World, tenant: Tenant, view: str = "/jobs") -> Iterator[Page]:
    """The view, for whoever has typed in the tenant's key; no policy was broken and nothing thrown when it ends."""
    with browser.page() as page:
        page.open(f"{served.url}/#{view}")
        page.type(tenant.key, into="API key or read token")
        page.press("Enter")
        page.wait_for("!document.querySelector('#key')", "the key is accepted")
        yield page
        assert page.errors == []
