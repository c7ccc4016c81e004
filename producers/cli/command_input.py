"""Builds a command from what was typed."""

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infrastructure import settings as settings_module
from kinds.declaration import JobInvalid
from kinds.loading import load
from producers.cli.flaws import flaws_of
from producers.cli.ingress import WrongUsage
from schemas.catalogue import COMMANDS, UnknownKind, command_of
from schemas.commands import Command

TEXT = "text"
"""What every command calls a document's text."""


ALIASES = {"workflow.start": "workflow.run_step"}
"""What a person starts is a workflow; its kind is named for the steps that its job runs."""


class NotACommand(WrongUsage):
    """What was typed makes no command. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Given:
    """The command's fields as they were typed; the later ones win."""

    json_file: str | None = None
    text_file: Path | None = None
    title: str | None = None
    assignments: tuple[str, ...] = ()


def command_from(kind: str, given: Given) -> Command:
    """The command, or NotACommand."""
    load_kinds()
    kind = ALIASES.get(kind, kind)
    try:
        return command_of(kind, _fields(kind, given))
    except UnknownKind as error:
        raise NotACommand(str(error)) from None
    except ValidationError as error:
        raise NotACommand(flaws_of(error, kind)) from None


@cache
def load_kinds() -> None:
    """Loads the packages that BUCATINI_JOBS names, so that their kinds are known here. NotACommand when one can't be."""
    try:
        load(settings_module.load())
    except JobInvalid as error:
        raise NotACommand(str(error)) from None


def _fields(kind: str, given: Given) -> dict[str, Any]:
    fields = _from_json(given.json_file)
    if given.text_file is not None:
        fields[TEXT] = _read(given.text_file)
        if kind not in COMMANDS or "title" in COMMANDS[kind].model_fields:
            fields.setdefault("title", given.text_file.name)
    if given.title is not None:
        fields["title"] = given.title
    return fields | dict(map(assigned, given.assignments))


def assigned(typed: str) -> tuple[str, Any]:
    """The name and the value of NAME=VALUE, which is JSON or else text. NotACommand when it isn't written so."""
    name, separator, value = typed.partition("=")
    if not separator:
        raise NotACommand(f"{typed}: write NAME=VALUE")
    return name, _value(value)


def _from_json(source: str | None) -> dict[str, Any]:
    if source is None:
        return {}
    try:
        fields = json.loads(text_of(source))
    except ValueError as error:
        raise NotACommand(f"{source} isn't JSON: {error}") from None
    if not isinstance(fields, dict):
        raise NotACommand(f"{source} must hold a JSON object")
    return fields


def text_of(source: str) -> str:
    """The file's text, or what is typed when its name is a dash."""
    return _decoded(sys.stdin.buffer.read(), "what is typed") if source == "-" else _read(Path(source))


def _read(file: Path) -> str:
    try:
        return _decoded(file.read_bytes(), str(file))
    except FileNotFoundError:
        raise NotACommand(f"there is no file {file}") from None
    except OSError as error:
        raise NotACommand(f"{file} can't be read: {error.strerror or type(error).__name__}") from None


def _decoded(read: bytes, what: str) -> str:
    """UTF-8, without the mark that some editors begin it with: it is no part of the text and would shift all offsets."""
    try:
        return read.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotACommand(f"{what} isn't UTF-8 text (byte {error.start:,}): save it as UTF-8") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
