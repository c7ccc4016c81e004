"""The commands by kind: our own, found in the modules of this package, and those of the packages that `kinds.loading` adds."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, TypeVar

import schemas
from schemas.batches import BATCH_KIND, BATCH_QUEUE
from schemas.commands import KIND_PATTERN, MAX_KIND_CHARACTERS, QUEUE_PATTERN, Command, path_of

T = TypeVar("T")

COMMANDS: dict[str, type[Command]] = {}
"""Those that clients may submit."""
INTERNAL: dict[str, type[Command]] = {}
"""Submitted by the system only: clients can't submit them."""

MAX_ROUTE_CHARACTERS = 200
_ROUTE = re.compile(r"/api(/[a-z0-9]+(-[a-z0-9]+)*)+")
_RESERVED_KINDS = frozenset({BATCH_KIND, "jobs.several_kinds"})
"""Names that other things have: the job behind a batch, and a doorbell for jobs of several kinds."""
_RESERVED_QUEUES = frozenset({BATCH_QUEUE, "unacked"})
"""No worker serves the first; the second is kombu's."""


class UnknownKind(Exception):
    """No command has this kind. The OpenAPI document lists the known kinds."""


class CommandInvalid(Exception):
    """A command's declaration can't work. The message names the command, and what to change."""


def command_of(kind: str, fields: Any) -> Command:
    """Builds the command from its fields. Raises UnknownKind, or pydantic's ValidationError for invalid fields."""
    if kind not in COMMANDS:
        raise UnknownKind(f"there is no kind of job named {kind!r}; known are {', '.join(COMMANDS)}")
    return COMMANDS[kind].model_validate(fields)


def queues() -> tuple[str, ...]:
    """The queues of all known kinds, in the order in which these were declared."""
    return tuple(dict.fromkeys(command.queue for command in (*COMMANDS.values(), *INTERNAL.values())))


def add(command: type[Command]) -> None:
    """Adds a command. Raises CommandInvalid when its declaration can't work, or another has its kind or address."""
    check(command)
    known = COMMANDS.get(command.kind) or INTERNAL.get(command.kind)
    if known is command:
        return
    if known is not None:
        raise CommandInvalid(
            f"{_named(command)}: {_named(known)} has the kind {command.kind!r} already; choose another"
        )
    addresses = {address: other for other in COMMANDS.values() for address in (path_of(other), *other.aliases)}
    for address in (path_of(command), *command.aliases):
        if address in addresses:
            raise CommandInvalid(f"{_named(command)}: {_named(addresses[address])} has the address {address} already")
    (INTERNAL if command.internal else COMMANDS)[command.kind] = command


def check(command: type[Command]) -> None:
    """Raises CommandInvalid when the command has a name that can't be used."""
    kind, queue = getattr(command, "kind", ""), getattr(command, "queue", "")
    if len(kind) > MAX_KIND_CHARACTERS or not re.fullmatch(KIND_PATTERN, kind) or kind in _RESERVED_KINDS:
        raise CommandInvalid(
            f"{_named(command)}: {kind!r} can't be a kind; write it as reports.make_report, in lower case, with at most "
            f"{MAX_KIND_CHARACTERS} characters"
        )
    if not re.fullmatch(QUEUE_PATTERN, queue) or queue in _RESERVED_QUEUES:
        raise CommandInvalid(
            f"{_named(command)}: {queue!r} can't be a queue; write it as reports, in lower-case letters, digits and "
            "dashes, with at most 40 characters"
        )
    for address in (path_of(command), *command.aliases):
        if len(address) > MAX_ROUTE_CHARACTERS or not _ROUTE.fullmatch(address):
            raise CommandInvalid(
                f"{_named(command)}: {address!r} can't be a route; write it as /api/reports/make-report"
            )


def _named(command: type[Command]) -> str:
    return f"{command.__module__}.{command.__qualname__}"


def declared_in(package: ModuleType, base: type[T]) -> Iterator[type[T]]:
    """The subclasses that the package's modules declare, in the order of the modules' names and within a module as they
    stand there."""
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        for value in list(vars(import_module(found.name)).values()):
            if isinstance(value, type) and issubclass(value, base) and value.__module__ == found.name:
                yield value


# One of these modules imports this one, which is why everything else stands above.
for _command in declared_in(schemas, Command):
    if hasattr(_command, "kind"):  # What has none is a base of commands.
        add(_command)
