"""Which documents a command refers to, in place of a text of its own."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.commands import Command
from schemas.documents import DocumentRef

C = TypeVar("C", bound=Command)

Place = tuple[str] | tuple[str, int]
"""Of a reference in a command."""

_BESIDE_A_DOCUMENT: Final = PydanticCustomError(
    "beside_a_document", "give this or `document`, not both: a stored document has it already"
)


@cache
def document_fields(command: type[Command]) -> tuple[str, ...]:
    """The fields in which a command of this type may refer to a document, or to several."""
    return tuple(name for name, field in command.model_fields.items() if DocumentRef in _types_in(field.annotation))


def _types_in(annotation: Any) -> Iterator[Any]:
    """The annotation and what it is made of: unions, items of tuples, and what is annotated."""
    yield annotation
    for inner in get_args(annotation):
        if isinstance(inner, type) or get_args(inner):
            yield from _types_in(inner)


def references_in(command: Command) -> dict[Place, DocumentRef]:
    """The documents that the command refers to, by where: a field, or a field and a number in it."""
    found: dict[Place, DocumentRef] = {}
    for name in document_fields(type(command)):
        match getattr(command, name):
            case DocumentRef() as ref:
                found[name,] = ref
            case tuple() as refs:
                found |= {(name, number): ref for number, ref in enumerate(refs) if isinstance(ref, DocumentRef)}
    return found


def with_references(command: C, refs: Mapping[Place, DocumentRef]) -> C:
    """The command with these in place of those that it refers to now."""
    single = {place[0]: ref for place, ref in refs.items() if len(place) == 1}
    several: dict[str, list[Any]] = {}
    for place, ref in refs.items():
        if len(place) > 1:
            several.setdefault(place[0], list(getattr(command, place[0])))[place[1]] = ref
    return command.model_copy(update=single | {name: tuple(each) for name, each in several.items()})


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
