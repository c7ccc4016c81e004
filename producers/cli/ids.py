"""Ids by their first characters, as they are typed from a screen."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from producers.cli.ingress import WrongUsage

if TYPE_CHECKING:
    from producers.client import Bucatini

MAX_CANDIDATES = 5
HEX_DIGITS = 32
FINGERPRINT_DIGITS = 16
MAX_GROUPS = 100
"""Of failures, among which a fingerprint is looked for."""

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or the first characters of it.")]


def job_of(client: "Bucatini", typed: str, what: str = "job") -> UUID:
    """The id of the one job (a batch is one, too) whose id begins so."""
    if (whole := whole_id(typed)) is not None:
        return whole
    prefix = _prefix(typed, what)
    asked = MAX_CANDIDATES + 1
    found = islice(client.jobs.list(id_prefix=prefix.replace("-", ""), limit=asked), asked)
    return UUID(one_of(prefix, [(str(job.id), f"{job.kind}, {job.state}") for job in found], what))


def id_of(typed: str, named: "Iterable[tuple[UUID, str]]", what: str) -> UUID:
    """The one of the named things whose id begins so. A whole id is taken as it is, and nothing is asked for it."""
    if (whole := whole_id(typed)) is not None:
        return whole
    prefix = _prefix(typed, what)
    return UUID(one_of(prefix, [(str(one), name) for one, name in named], what))


def fingerprint_of(client: "Bucatini", typed: str) -> str:
    """The fingerprint of the one group of failures, however old, that begins so."""
    prefix = without_dots(typed).lower()
    if len(prefix) == FINGERPRINT_DIGITS:
        return prefix
    found = client.failures.groups(since=datetime(1970, 1, 1, tzinfo=UTC), limit=MAX_GROUPS).groups
    return one_of(prefix, [(group.fingerprint, f"{group.kind}, {group.title}") for group in found], "group of failures")


def one_of(prefix: str, candidates: Sequence[tuple[str, str]], what: str) -> str:
    """The one id that begins so, of pairs of an id and what it is. WrongUsage names all of several."""
    found = [(one, name) for one, name in candidates if one.startswith(prefix)]
    if not found:
        raise WrongUsage(f"there is no {what} that begins with {prefix}")
    if len(found) > 1:
        shown = "; ".join(f"{one} ({name})" for one, name in found[:MAX_CANDIDATES])
        more = "; and more" if len(found) > MAX_CANDIDATES else ""
        raise WrongUsage(f"more than one {what} begins with {prefix}, type more of it: {shown}{more}")
    return found[0][0]


def whole_id(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None


def without_dots(typed: str) -> str:
    """What is left of an id that was copied from where it had been cut."""
    return typed.removesuffix("…").removesuffix("...")


def _prefix(typed: str, what: str) -> str:
    """The prefix in the shape of an id, with its hyphens."""
    digits = without_dots(typed).replace("-", "").lower()
    if not digits or len(digits) >= HEX_DIGITS or set(digits) - set("0123456789abcdef"):
        raise WrongUsage(f"{typed!r} is no {what}'s id, nor the beginning of one")
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(part for part in parts if part)
