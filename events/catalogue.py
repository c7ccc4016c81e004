"""The kinds of jobs and the domain events: our own, found in the modules of `schemas` and `events`, and those of the packages
that `kinds.loading` adds.

The routes, the OpenAPI and AsyncAPI documents, the client and the workers are all made from these kinds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import events
from events.envelope import DomainEvent
from schemas import catalogue
from schemas.catalogue import COMMANDS, CommandInvalid, declared_in
from schemas.commands import Command, path_of

EVENTS: dict[str, type[DomainEvent]] = {}
"""By type: the results of jobs, and what else is published about a tenant's resources."""
_RESULTS: dict[type[Command], tuple[type[DomainEvent], ...]] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job that clients may submit."""

    command: type[Command]
    results: tuple[type[DomainEvent], ...]
    """What its jobs end with: one of these. None of them when it brings no result."""

    @property
    def name(self) -> str:
        return self.command.kind

    @property
    def path(self) -> str:
        """Where it is submitted."""
        return path_of(self.command)


def kinds() -> Iterator[Kind]:
    """Every kind that clients may submit, in the order in which they were declared."""
    for command in COMMANDS.values():
        yield Kind(command, results_of(command))


def results_of(command: type[Command]) -> tuple[type[DomainEvent], ...]:
    return _RESULTS.get(command, ())


def result_from(kind: str, data: dict[str, Any]) -> DomainEvent | dict[str, Any]:
    """The stored result of a job as its event, without fields that only a newer release knows. As it is when the kind is
    unknown here."""
    command = COMMANDS.get(kind)
    results = results_of(command) if command is not None else ()
    if len(results) > 1:
        results = tuple(event for event in results if event.model_fields.keys() <= data.keys())
    if not results:
        return data
    return max(results, key=lambda event: len(event.model_fields)).model_validate(data, extra="ignore")


def add(command: type[Command], results: tuple[type[DomainEvent], ...]) -> None:
    """Adds a kind with the events its jobs end with. Raises CommandInvalid when its declaration can't work."""
    catalogue.add(command)
    for event in results:
        add_event(event)
    check_distinct(command, results)
    _RESULTS[command] = results


def add_event(event: type[DomainEvent]) -> None:
    known = EVENTS.setdefault(event.type, event)
    if known is not event:
        raise CommandInvalid(f"{_named(event)}: {_named(known)} has the type {event.type!r} already; choose another")


def check_distinct(command: type[Command], results: tuple[type[DomainEvent], ...]) -> None:
    """A stored result is recognized by its fields. Raises CommandInvalid when two results have the same."""
    known: dict[frozenset[str], type[DomainEvent]] = {}
    for event in results:
        same = known.setdefault(frozenset(event.model_fields), event)
        if same is not event:
            raise CommandInvalid(
                f"{command.kind}: a reader couldn't tell {_named(event)} from {_named(same)}, which has the same fields; "
                "give one of them a field of its own"
            )


def _named(event: type[DomainEvent]) -> str:
    return f"{event.__module__}.{event.__qualname__}"


for _event in declared_in(events, DomainEvent):
    if _event is not DomainEvent:
        add_event(_event)
        for _command in _event.result_of:
            add(_command, (*results_of(_command), _event))
