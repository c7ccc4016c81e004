"""Which documents a command refers to, in place of a text of its own."""

from collections.abc import Sequence
from functools import cache
from typing import Final, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.commands import Command
from schemas.documents import DocumentRef

_BESIDE_A_DOCUMENT: Final = PydanticCustomError(
    "beside_a_document", "give this or `document`, not both: a stored document has it already"
)


@cache
def document_fields(command: type[Command]) -> tuple[str, ...]:
    """The fields in which a command of this type may refer to a document."""
    return tuple(
        name
        for name, field in command.model_fields.items()
        if DocumentRef in (field.annotation, *get_args(field.annotation))
    )


def references_in(command: Command) -> dict[str, DocumentRef]:
    """The documents that the command refers to, by its fields."""
    named = ((name, getattr(command, name)) for name in document_fields(type(command)))
    return {name: ref for name, ref in named if ref is not None}


def check_source(command: Command, *, without: Sequence[str], never_with: Sequence[str]) -> None:
    """Raises ValidationError unless the command has all the fields `without` a document, or a document and none of those
    that go `never_with` one."""
    if getattr(command, "document", None) is None:
        missing = [name for name in without if getattr(command, name) is None]
        flaws = [InitErrorDetails(type="missing", loc=(name,), input=None) for name in missing]
    else:
        fields = type(command).model_fields
        given = [name for name in never_with if getattr(command, name) != fields[name].default]
        flaws = [InitErrorDetails(type=_BESIDE_A_DOCUMENT, loc=(name,), input=None) for name in given]
    if flaws:
        raise ValidationError.from_exception_data(type(command).__name__, flaws)
