"""`python -m producers.packaging.blocking` writes the blocking client anew from the one for asyncio, which is the one to edit.
With `--check` it writes nothing, and fails when they differ."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parent.parent / "client"
WRITTEN, GENERATED = CLIENT / "asynchronous", CLIENT / "blocking"
DOCSTRING: Final = '"""The blocking client, a file a resource, generated from `producers/client/asynchronous/`."""\n'
HEADER: Final = "# Generated from asynchronous/{name} by `python -m producers.packaging.blocking`: edit that one.\n"

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
    (r"\b(aclose|aread|aiter_sse)\b", lambda found: found[0][1:]),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync (?=def\b|with\b|for\b)", ""),
    (r"\(await (self\._client\.ask\([^\n]*\))\)(?=\.)", r"\1"),
    (r"\bawait (?=[\w(])", ""),
)  # fmt: skip


FIRST_PARTY: Final = 'lint.isort.known-first-party = ["events", "producers", "schemas"]'
"""Said, since files that aren't there yet aren't found."""


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
    return _tidied(HEADER.format(name=name) + text, GENERATED / name)


def _tidied(text: str, file: Path) -> str:
    """As the linter and the formatter want it: lines that became shorter are joined, imports sorted and named once."""
    for command in (
        (
            "check",
            "--fix",
            "--unsafe-fixes",
            "--exit-zero",
            "--quiet",
            "--select",
            "I,F401,UP028",
            "--config",
            FIRST_PARTY,
        ),
        ("format",),
    ):
        run = (sys.executable, "-m", "ruff", *command, "--stdin-filename", str(file), "-")
        text = subprocess.run(run, input=text, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    return text


def main() -> None:
    files = generated()
    wrong = differing(files)
    if "--check" in sys.argv[1:]:
        if wrong:
            sys.exit(
                f"{', '.join(wrong)}: not what the client for asyncio says; run python -m producers.packaging.blocking"
            )
    else:
        write(files)


if __name__ == "__main__":
    main()
