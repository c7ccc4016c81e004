"""Writes the blocking client from the one for asyncio, which is the one to edit."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from producers.packaging.tidying import tidied

CLIENT: Final = Path(__file__).parent.parent / "client"
WRITTEN, GENERATED = CLIENT / "asynchronous", CLIENT / "blocking"
DOCSTRING: Final = '"""The blocking client, a file a resource, generated from `producers/client/asynchronous/`."""\n'
HEADER: Final = "# Generated from asynchronous/{name} by `python -m producers.packaging`: edit that one.\n"

REPLACEMENTS: Final = (
    # Whole phrases first, then words, then what is left of the syntax.
    ("The client for asyncio, a resource an attribute. It belongs to the event loop in which it is used first.",
     "The blocking client, a resource an attribute. Threads may share it."),
    ("The client for asyncio.", "The blocking client."),
    (r"websockets\.asyncio\.client", "websockets.sync.client"),
    (r"httpx\.AsyncClient", "httpx.Client"),
    (r"producers\.client\.asynchronous", "producers.client.blocking"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"^import asyncio$", "import time"),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\b(aclose|aread|aiter_sse|aiter_raw)\b", lambda found: found[0][1:]),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync (?=def\b|with\b|for\b)", ""),
    (r"\(await (self\._client\.ask\([^\n]*\))\)(?=\.)", r"\1"),
    (r"\bawait (?=[\w(])", ""),
)  # fmt: skip


def generated() -> Mapping[str, str]:
    """The blocking client's files by name, as they have to be."""
    sources = sorted(WRITTEN.glob("*.py"))
    return {source.name: _generated(source.name, source.read_text(encoding="utf-8")) for source in sources}


def differing(files: Mapping[str, str]) -> list[str]:
    """The names of those that stand otherwise, or shouldn't stand."""
    standing = {file.name: file.read_text(encoding="utf-8") for file in GENERATED.glob("*.py")}
    return sorted(name for name in {*files, *standing} if files.get(name) != standing.get(name))


def write(files: Mapping[str, str]) -> None:
    GENERATED.mkdir(exist_ok=True)
    for name in differing(files):
        if name in files:
            (GENERATED / name).write_text(files[name], encoding="utf-8")
        else:
            (GENERATED / name).unlink()


def _generated(name: str, text: str) -> str:
    if name == "__init__.py":
        return DOCSTRING
    for pattern, replacement in REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return tidied(HEADER.format(name=name) + text, GENERATED / name)
