"""A package whose job writes text, and what tests need to read it: the environment of its workers, and Redis's own account."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import redis

from schemas.commands import Command

SOURCE = """
import asyncio
import time
from pathlib import Path

from bucatini import Command, DomainEvent, Run, job
from events.ai import SectionCompleted, SectionReset


class Write(Command):
    sections: int = 2
    words: int = 20
    pause_seconds: float = 0.01
    begin_at: str = ""
    hang_in: int = -1
    reset_in: int = -1
    complete: bool = True
    fail: bool = False
    name: str = ""

class Written(DomainEvent):
    seconds: float

class Scribble(Command):
    pass

async def appears(path):
    while path and not Path(path).exists():
        await asyncio.sleep(0.01)

async def words_of(command, run, section, name):
    text = ""
    if command.name:
        run.write(command.name, section=section)
        text = command.name
    for number in range(command.words):
        word = f"{name}-{section}-{number} "
        run.write(word, section=section, offset=len(text))
        text += word
        if command.pause_seconds or not number % 1_000:
            await asyncio.sleep(command.pause_seconds)
    return text

@job("novel.write", queue="novel", max_attempts=3)
async def write(command: Write, run: Run) -> Written:
    await appears(command.begin_at)
    began = time.process_time()
    for section in range(command.sections):
        if section == command.reset_in:
            await words_of(command, run, section, "bad")
            await run.record(SectionReset(section=section, error="cut_short", model="m"))
        text = await words_of(command, run, section, "word")
        if section == command.hang_in and run.attempt == 1:
            await asyncio.sleep(3_600)
        if command.complete:
            await run.record(SectionCompleted(section=section, of=command.sections, heading="h", text=text, model="m"))
    if command.fail:
        raise SystemExit("no")
    return Written(seconds=time.process_time() - began)

@job("novel.scribble", queue="novel")
def scribble(command: Scribble, run: Run) -> Written:
    run.write("from a thread")
    run.record_blocking(SectionCompleted(section=0, of=1, heading="h", text="from a thread", model="m"))
    return Written(seconds=0)
"""


class Write(Command):
    kind: ClassVar[str] = "novel.write"
    queue: ClassVar[str] = "novel"
    max_attempts: ClassVar[int] = 3
    sections: int = 2
    words: int = 20
    pause_seconds: float = 0.01
    begin_at: str = ""
    hang_in: int = -1
    reset_in: int = -1
    complete: bool = True
    fail: bool = False
    name: str = ""
    """Stands before each section."""


class Scribble(Command):
    kind: ClassVar[str] = "novel.scribble"
    queue: ClassVar[str] = "novel"


def novel_in(folder: Path) -> dict[str, str]:
    """The environment of a worker that has the package."""
    package = folder / "elsewhere" / "novel"
    package.mkdir(parents=True)
    (package / "jobs.py").write_text(SOURCE)
    return {"BUCATINI_JOBS": "novel.jobs", "BUCATINI_JOBS_FOLDER": str(package.parent)}


def section(number: int, words: int = 20) -> str:
    """What a section says in the end."""
    return "".join(f"word-{number}-{word} " for word in range(words))


def whole(command: Write) -> str:
    return "\n\n".join(section(number, command.words) for number in range(command.sections))


@contextmanager
def monitored(redis_url: str) -> Iterator[list[str]]:
    """Every command that Redis is given meanwhile, as MONITOR says it."""
    seen: list[str] = []
    with redis.Redis.from_url(redis_url) as client:
        stop, monitor = threading.Event(), client.monitor()
        with monitor:

            def read() -> None:
                while not stop.is_set():
                    command = str(monitor.next_command()["command"])
                    if "the monitor ends" in command:
                        return
                    seen.append(command)

            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            try:
                yield seen
            finally:
                client.echo("the monitor ends")
                reader.join(timeout=10)
                stop.set()
