"""Writes how `submit` is typed: each command with what its jobs bring, as the kinds declare it."""

from collections import defaultdict
from typing import Final

from events.catalogue import Kind, kinds
from producers.packaging.blocking import WRITTEN
from producers.packaging.tidying import tidied

FILE: Final = WRITTEN / "typed_jobs.py"
HEADER: Final = "# Generated from the kinds by `python -m producers.packaging`: declare a kind, and run it again.\n"
TOP: Final = '''"""Jobs, with what each kind of command brings."""

from __future__ import annotations  # What is only named here needn't be imported to submit something.

from typing import TYPE_CHECKING, Any, Unpack, overload

from producers.client.asynchronous.jobs import AsyncJobHandle, AsyncJobs
from schemas.commands import Command

if TYPE_CHECKING:
    from producers.client.commands import JobOptions
{imports}

class AsyncTypedJobs(AsyncJobs):
    """Your jobs. Every call may raise ProblemAnswer or Unreachable."""

'''
OVERLOAD: Final = """
    @overload
    async def submit(self, command: {command}, **options: Unpack[JobOptions]) -> AsyncJobHandle[{result}]: ...
"""
BOTTOM: Final = '''
    async def submit(self, command: Command, **options: Unpack[JobOptions]) -> AsyncJobHandle[Any]:
        """The job, once it is kept. A repeat with the same idempotency key gives the same job; without one the client
        makes its own, so that its own repeats are safe."""
        return await self.submit_any(command, options)
'''


def generated() -> str:
    """The file, as it has to be."""
    ours = tuple(kinds())
    overloads = [OVERLOAD.format(command=kind.command.__name__, result=_result_of(kind)) for kind in ours]
    rest = OVERLOAD.format(command="Command", result="Any")
    return tidied(HEADER + TOP.format(imports=_imports(ours)) + "".join(overloads) + rest + BOTTOM, FILE)


def differing() -> list[str]:
    """Its name, if it stands otherwise."""
    standing = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    return [] if standing == generated() else [FILE.name]


def _result_of(kind: Kind) -> str:
    return " | ".join(event.__name__ for event in kind.results) or "None"


def _imports(ours: tuple[Kind, ...]) -> str:
    names: dict[str, set[str]] = defaultdict(set)
    for kind in ours:
        for named in (kind.command, *kind.results):
            names[named.__module__].add(named.__name__)
    return "\n".join(f"    from {module} import {', '.join(sorted(found))}" for module, found in names.items())
