"""Command groups that cost nothing until they are used: `bucatini --help` imports none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is declared, and the line that help and completion show of it."""

    module: str
    """Its `app` is a Typer that has the command, or is the group of that name."""
    line: str


class LazyGroup(TyperGroup):
    """Lists its commands by what `index` says of them, and imports one when it is typed."""

    index: ClassVar[Mapping[str, Command]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in self.index.items():
            self.add_command(TyperCommand(name=name, help=command.line))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder if name is None else loaded(name, self.index[name]), rest


def loaded(name: str, command: Command) -> Any:
    """The command itself. Several of one file share its Typer; one alone is its Typer; a group has the file's name."""
    found = get_command(import_module(command.module).app)
    inner: Mapping[str, Any] = getattr(found, "commands", {})
    return inner.get(name, found)


def command_group(line: str = "") -> typer.Typer:
    """A Typer as all of ours are. Help in colours would cost more than half of its time."""
    return typer.Typer(help=line, no_args_is_help=bool(line), rich_markup_mode=None, add_completion=False)
