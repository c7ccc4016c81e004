"""Writes README's table of what each search engine does, from the contract that both pass:
`python -m tests.contracts.search.capabilities`."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.source_tree import ROOT

ENGINES = ("tantivy", "elasticsearch")
README = ROOT / "README.md"
SUITE = Path(__file__).parent
BEGIN, END = "<!-- engines: begin -->\n", "<!-- engines: end -->\n"

_NODE = re.compile(r"^(?P<file>\S+_test\.py)::(?P<test>\w+)\[(?P<parameters>.*)\]$")
_OWED = re.compile(r"What every search engine owes (?P<whom>.*?): (?P<what>.*)\. Run on each adapter\.$")


def main() -> None:
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + table() + END + after)


def table() -> str:
    """A row for each file of the contract: what is owed to whom, and how many tests of it each engine passes."""
    head = (
        f"| owed to | | {' | '.join(engine.capitalize() for engine in ENGINES)} |\n|---|---|{'---|' * len(ENGINES)}\n"
    )
    return head + "".join(_rows())


def _rows() -> Iterator[str]:
    for file, tests in sorted(_tests().items()):
        yield f"| {_owed(file)} | {' | '.join(str(len(tests[engine])) for engine in ENGINES)} |\n"


def _tests() -> dict[Path, dict[str, set[str]]]:
    """By file and engine, the tests that pytest would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(SUITE)]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[Path, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for match in filter(None, map(_NODE.match, collected.splitlines())):
        for engine in set(ENGINES) & set(match["parameters"].split("-")):
            found[ROOT / match["file"]][engine].add(match["test"])
    return found


def _owed(file: Path) -> str:
    said = ast.get_docstring(ast.parse(file.read_text())) or ""
    match = _OWED.match(" ".join(said.split()))
    if match is None:
        raise SystemExit(f"{file.name}: its docstring doesn't say what every search engine owes")
    return f"{match['whom'].removeprefix('its ')} | {match['what']}"


if __name__ == "__main__":
    main()
