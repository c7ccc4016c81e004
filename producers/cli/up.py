"""`bucatini up`: the local stack in a terminal, from the first start to Ctrl-C."""

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TextIO, cast

import typer
from rich.console import Console

from infrastructure import settings as settings_module
from infrastructure.local_stack.files.state_dir import AlreadyRunning
from infrastructure.local_stack.servers.loopback import NoFreePort, PortTaken
from infrastructure.local_stack.supervisor.processes import PartFailed
from infrastructure.local_stack.supervisor.stack import Notice, Restarted, Restarting, Started
from infrastructure.local_stack.up import KeyMade, LocalStack, Said, local_stack
from infrastructure.ports import Unavailable
from infrastructure.settings import Settings, SettingsInvalid
from kinds.declaration import JobInvalid
from kinds.loading import load, sources_of
from producers.cli.lazy_group import command_group
from producers.cli.output import EXIT_USAGE, cell, print_error, print_note
from producers.cli.sample_report import print_arrived, print_summary
from producers.cli.samples import Arrived, Imported, SampleFailed, SamplesUnusable, find_samples, import_samples

app = command_group()

SHOWN_URLS = ("console", "api", "docs", "flower", "metrics api")
INTERRUPTED = 130
PIPED_WIDTH = 150
"""Of a line where no terminal sets one."""
EXPECTED = (
    AlreadyRunning,
    JobInvalid,
    NoFreePort,
    PartFailed,
    PortTaken,
    SettingsInvalid,
    Unavailable,
    SampleFailed,
    SamplesUnusable,
)


Samples = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Import the documents of this folder once all is ready.")
]
Jobs = Annotated[
    list[str] | None,
    typer.Option(metavar="PACKAGE", help="A package with jobs of your own: my_package.jobs. Repeatable."),
]
Reload = Annotated[bool, typer.Option("--reload", help="Start again what runs those jobs when their files change.")]
Once = Annotated[bool, typer.Option("--once", help="Stop after the samples; the exit code is 1 if a job failed.")]


@app.command()
def up(samples: Samples = None, once: Once = False, jobs: Jobs = None, reload: Reload = False) -> None:
    """Start everything here; serve until Ctrl-C."""
    if samples is not None and not samples.is_dir():
        raise typer.Exit(print_error(f"there is no folder {samples}", EXIT_USAGE))
    raise typer.Exit(bring_up(samples, once=once, jobs=jobs or (), reload=reload))


def bring_up(samples: Path | None, *, once: bool, jobs: Sequence[str] = (), reload: bool = False) -> int:
    """The exit code: 0 when all went well, 1 when a part or a sample failed, 130 when it was interrupted on the way."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(file=cast(TextIO, _Unfailing(sys.stdout)), highlight=False, soft_wrap=True, width=width)
    try:
        settings = _settings(jobs)
        load(settings)  # What it brings decides which pools are started.
        home, names = settings.bucatini_home, settings.bucatini_jobs
        with _interrupted_by_signals(), local_stack(home, lambda notice: _show(console, notice), names) as stack:
            failed = _send(console, stack, samples) if samples else 0
            _show_addresses(console, stack)
            if not once and reload:
                _serve_and_reload(console, stack, sources_of(settings))
            elif not once:
                _serve(console, stack)
            console.print("stopping …")
            return 1 if failed and once else 0
    except KeyboardInterrupt:
        console.print("interrupted and stopped")
        return INTERRUPTED
    except EXPECTED as error:
        print_note(f"bucatini up: {error}")
        return 1


class _Unfailing:
    """Standard output that nobody may read any more, or that goes to a disk that is full: no reason to end what runs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _settings(jobs: Sequence[str]) -> Settings:
    """The environment's, with these packages of jobs if any are given."""
    settings = settings_module.load()
    return settings.model_copy(update={"bucatini_jobs": tuple(jobs)}) if jobs else settings


def _serve_and_reload(console: Console, stack: LocalStack, sources: Sequence[Path]) -> None:
    from infrastructure.local_stack.supervisor.source_watch import SourceWatch

    shown = ", ".join(map(str, sources)) or "nothing: name a package with --jobs"
    console.print(f"\nserving until Ctrl-C; changes are watched in {shown}")
    watch = SourceWatch(sources)
    try:
        while True:
            stack.tend_until(watch.changed, patient=True)
            if fault := stack.fault_of_jobs():
                console.print(f"[red]✗[/] a source file changed, and what runs goes on without it: {cell(fault)}")
                continue
            console.print("[yellow]↻[/] a source file changed: starting again what has loaded it")
            stack.reload()
    except KeyboardInterrupt:
        console.print()
    finally:
        watch.close()


def _serve(console: Console, stack: LocalStack) -> None:
    console.print("\nserving until Ctrl-C")
    try:
        stack.tend_until(lambda: False, patient=True)
    except KeyboardInterrupt:
        console.print()


def _send(console: Console, stack: LocalStack, folder: Path) -> int:
    """How many of the folder's documents failed."""
    if stack.api_key is None:
        raise SamplesUnusable(f"{stack.home.key_file} is gone, and a key can't be shown twice: set BUCATINI_API_KEY")
    samples, api_key = find_samples(folder), stack.api_key
    console.print(f"\nimporting {len(samples)} documents from {folder} at {stack.urls['api']}\n")

    def on_event(arrived: Arrived) -> None:
        print_arrived(console, arrived)

    def work() -> Imported:
        return asyncio.run(import_samples(samples, stack.urls["api"], api_key, on_event))

    sent = _in_background(work)
    stack.tend_until(sent.done)
    imported = sent.result()
    print_summary(console, imported)
    return imported.failed


def _in_background(work: Callable[[], Imported]) -> "Future[Imported]":
    """The work on a thread that doesn't keep the process alive, since the main one tends the stack meanwhile."""
    outcome: Future[Imported] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001  # The thread's edge: whoever waits for the outcome decides.
            outcome.set_exception(error)

    threading.Thread(target=run, name="samples", daemon=True).start()
    return outcome


def _show(console: Console, notice: Notice | Said | KeyMade) -> None:
    match notice:
        case Started(name, seconds, port):
            console.print(f"[green]✓[/] {name:16} {seconds:5.1f} s   {f'port {port}' if port else ''}")
        case Restarting(name, ending, pause_seconds, log):
            console.print(f"[red]✗ {name} ended ({ending})[/]: starting it again in {pause_seconds:g} s; see {log}")
        case Restarted(name):
            console.print(f"[yellow]↻[/] {name} was started again")
        case Said(text):
            console.print(f"[yellow]![/] {cell(text)}")
        case KeyMade(key, file):
            console.print(f"[green]✓[/] first admin key, shown this once and kept in {file}:\n  [bold]{key}[/]")


def _show_addresses(console: Console, stack: LocalStack) -> None:
    console.print()
    for name in SHOWN_URLS:
        console.print(f"{name:12} {stack.urls[name]}")
    console.print(f"{'logs':12} {stack.home.logs}")
    console.print(f"{'admin key':12} {stack.home.key_file if stack.home.key() else 'not in this folder'}")


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """A closed terminal and a polite kill stop the stack as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
