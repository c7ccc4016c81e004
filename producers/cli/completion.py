"""What the shell completes: kinds and queues, ours and those of the packages that BUCATINI_JOBS names."""

from collections.abc import Iterable
from contextlib import redirect_stderr, suppress
from io import StringIO


def known_kinds(incomplete: str) -> list[str]:
    from producers.cli.command_input import ALIASES
    from schemas.catalogue import COMMANDS

    _load_jobs()
    return _beginning_with(incomplete, (*COMMANDS, *ALIASES))


def known_queues(incomplete: str) -> list[str]:
    from schemas.catalogue import queues

    _load_jobs()
    return _beginning_with(incomplete, queues())


def _load_jobs() -> None:
    """Nothing is printed, whatever the packages print and whether or not they can be loaded: it would stand in the prompt."""
    from infrastructure.settings import SettingsInvalid, load
    from kinds.declaration import JobInvalid
    from kinds.loading import load as load_jobs

    with redirect_stderr(StringIO()), suppress(JobInvalid, SettingsInvalid):
        load_jobs(load())


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
