"""`python -m tests.releases 1|2`: a worker of an older and of a newer release, as they run side by side in a deploy."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from events.envelope import DomainEvent
from infrastructure import settings as settings_module
from infrastructure.settings import Settings
from kinds.run import Run
from monitoring.logs.logging import configure
from schemas.commands import Command
from workers.runtime.handler import Handler
from workers.runtime.serve import serve


class Greet(Command):
    """As the first release knows it."""

    kind: ClassVar[str] = "releases.greet"
    queue: ClassVar[str] = "ai"
    name: str


class GreetMany(Command):
    """The same kind as the second release knows it."""

    kind: ClassVar[str] = "releases.greet"
    queue: ClassVar[str] = "ai"
    version: ClassVar[int] = 2
    max_attempts: ClassVar[int] = 1
    names: tuple[str, ...]

    @classmethod
    def upcast(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        return {"names": [fields["name"]]} if version < cls.version else fields


class Wave(Command):
    """Only the second release has it."""

    kind: ClassVar[str] = "releases.wave"
    queue: ClassVar[str] = "ai"
    max_attempts: ClassVar[int] = 1


class Greeted(DomainEvent):
    type: ClassVar[str] = "releases.greeted"
    release: int
    names: tuple[str, ...] = ()


async def greet(command: Greet, run: Run) -> Greeted:
    return Greeted(release=1, names=(command.name,))


async def greet_many(command: GreetMany, run: Run) -> Greeted:
    return Greeted(release=2, names=command.names)


async def wave(command: Wave, run: Run) -> Greeted:
    return Greeted(release=2)


HANDLERS: dict[str, tuple[Handler[Any], ...]] = {
    "1": (Handler(Greet, greet),),
    "2": (Handler(GreetMany, greet_many), Handler(Wave, wave)),
}


def main() -> None:
    handlers = HANDLERS[sys.argv[1]]

    @asynccontextmanager
    async def bind(_: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
        yield handlers

    settings = settings_module.load()
    configure(settings.log_level, settings.log_format)
    serve(settings, "ai", bind, [handler.kind for handler in handlers])


if __name__ == "__main__":
    main()
