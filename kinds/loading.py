"""Loads the packages that `BUCATINI_JOBS` names, in every process: their kinds join ours."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from pkgutil import walk_packages
from traceback import extract_tb
from types import ModuleType
from typing import Any

from events import catalogue
from infrastructure.settings import Settings
from kinds.declaration import JobFunction, JobInvalid
from schemas.catalogue import CommandInvalid

MAX_MODULES = 1_000

AnyJob = JobFunction[Any, Any, Any]


def load(settings: Settings) -> tuple[AnyJob, ...]:
    """Imports the packages or modules that the settings name, adds their kinds to the catalogue, and returns their
    functions. Safe to repeat.

    A package is imported with everything below it. Raises JobInvalid, which names the package and what to change.
    """
    folder = settings.bucatini_jobs_folder.resolve()
    if settings.bucatini_jobs:
        _look_in(folder)
    jobs = tuple(dict.fromkeys(job for name in settings.bucatini_jobs for job in _jobs_of(name, folder)))
    check_one_for_each_kind(jobs)
    for job in jobs:
        try:
            catalogue.add(job.command, job.results)
            for event in job.records:
                catalogue.add_event(event)
        except CommandInvalid as error:
            raise JobInvalid(f"{job.name}: {error}") from None
    return jobs


def check_one_for_each_kind(jobs: Iterable[AnyJob]) -> None:
    """Raises JobInvalid, with both names, when two functions are for the same kind."""
    by_kind: dict[str, AnyJob] = {}
    for job in jobs:
        if (first := by_kind.setdefault(job.command.kind, job)) is not job:
            raise JobInvalid(f"{job.name} and {first.name} are both for {job.command.kind}: leave one of them out")


def sources_of(settings: Settings) -> tuple[Path, ...]:
    """The folders and files of the loaded packages, each with all that its top package has."""
    found: dict[Path, None] = {}
    for name in settings.bucatini_jobs:
        spec = find_spec(name.partition(".")[0])
        if spec is not None:
            places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
            found |= dict.fromkeys(Path(place) for place in places)
    return tuple(found)


def jobs_in(module: ModuleType) -> Iterator[AnyJob]:
    """The functions that stand in the module, each once, in their order."""
    yield from dict.fromkeys(value for value in vars(module).values() if isinstance(value, JobFunction))


def _jobs_of(name: str, folder: Path) -> list[AnyJob]:
    jobs = [job for module in _modules(name, folder) for job in jobs_in(module)]
    if not jobs:
        raise JobInvalid(
            f"{name} declares no job: BUCATINI_JOBS names the package with the functions below `@job(...)`"
        )
    return jobs


def _modules(name: str, folder: Path) -> Iterator[ModuleType]:
    module = _imported(name, folder)
    yield module
    below = walk_packages(getattr(module, "__path__", ()), f"{name}.")
    for found in islice(below, MAX_MODULES):
        if not found.name.endswith(".__main__"):
            yield _imported(found.name, folder)


def _imported(name: str, folder: Path) -> ModuleType:
    try:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        with redirect_stdout(
            sys.stderr
        ):  # What a command answers is for programs; a module that prints adds nothing to it.
            return import_module(name)
    except JobInvalid:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise JobInvalid(f"{name} can't be imported: {error}{_place(error)}") from None
        raise JobInvalid(
            f"there is no module {error.name!r} for BUCATINI_JOBS={name}: it is neither installed nor in {folder}"
        ) from None
    except (Exception, SystemExit) as error:  # Whatever a foreign module raises is a fault of that module.
        raise JobInvalid(f"{name} can't be imported: {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""  # Its message has the place; ours would be the line that imports.
    frames = extract_tb(error.__traceback__)
    foreign = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    return f" ({foreign[-1].filename}, line {foreign[-1].lineno})" if foreign else ""


def _look_in(folder: Path) -> None:
    # Last, so that a folder of the user's that is named like one of ours hides none of ours.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
