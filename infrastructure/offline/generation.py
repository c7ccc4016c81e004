"""Fills Liquid templates with facts, and refuses to leave a hole.

Templates come from callers, so everything they could make grow is bounded: Liquid's own limits hold loops, nesting and
output, only harmless tags and filters exist, ranges don't, and no filter may return more than a document's length.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from importlib.resources import files
from typing import Any, NoReturn

from liquid import DictLoader, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import FilterValueError, LiquidError, LiquidSyntaxError, LiquidTypeError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.undefined import Undefined

from events.ai import GeneratedSection, Writing
from infrastructure.offline import wording
from infrastructure.ports import Refused
from schemas.ai import GenerateDocument, SectionTemplate, TemplateName, WritingLanguage
from schemas.model import FreeJson
from schemas.problems import FieldProblem, Problem

MOST_CHARACTERS = 400_000
MOST_REPORTED = 50
MOST_NUMBER = 10**30


def write(command: GenerateDocument) -> Writing:
    """The filled sections. Refused when a template can't be read, breaks a limit, or needs a fact that isn't given.

    A name may be missing where a template only asks whether it is there, as in `{% if notes %}`.
    """
    missing: dict[str, None] = {}
    environment = _Bounded(_noting(missing))
    parsed = [_parse(environment, section, pointer) for section, pointer in _sections(command)]
    settings = {"title": command.title, "language": command.language.value, "tone": command.tone.value}
    values = _given(command.facts) | settings
    sections = tuple(section.fill(values) for section in parsed)
    mentioned = frozenset[str]().union(*(section.names for section in parsed))
    if missing:
        raise Refused(_facts_missing(list(missing), mentioned))
    _check_length(sections)
    return Writing(
        sections=sections,
        unused_facts=tuple(sorted(command.facts.keys() - mentioned)),
        tone_applied="tone" in mentioned,
    )


def _given(value: dict[str, FreeJson]) -> dict[str, Any]:
    """Without nulls and blank strings: filled in, they would leave the hole that a missing fact does."""

    def kept(item: FreeJson) -> Any:
        match item:
            case dict():
                return {name: kept(part) for name, part in item.items() if not _blank(part)}
            case list():
                return [kept(part) for part in item if not _blank(part)]
            case _:
                return item

    return {name: kept(item) for name, item in value.items() if not _blank(item)}


def _blank(value: FreeJson) -> bool:
    return value is None or isinstance(value, str) and not value.strip()


def _sections(command: GenerateDocument) -> list[tuple[SectionTemplate, str]]:
    """Each with the pointer to blame: in our own wording only a fact can be at fault."""
    if command.sections is not None:
        return [(section, f"/sections/{place}") for place, section in enumerate(command.sections)]
    assert command.template is not None  # The command's own validator sees to it.
    return [(section, "/facts") for section in built_in(command.template, command.language)]


def built_in(name: TemplateName, language: WritingLanguage) -> tuple[SectionTemplate, ...]:
    """The sections of a built-in template. Refused when it has no wording in this language."""
    source = files("infrastructure.offline") / "templates" / f"{name}.{language}.liquid"
    if not source.is_file():
        raise Refused(
            Problem.of(
                "wording-missing",
                "No wording in this language",
                422,
                f"the built-in template {name} has no wording in `{language}`; ask for `en`, or send your own sections",
                errors=(FieldProblem(pointer="/language", detail=f"{name} is not written in {language}"),),
            )
        )
    parts = re.split(r"^## (.+)$", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(
        SectionTemplate(heading=heading.strip(), body=body.strip())
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Section:
    heading: BoundTemplate
    body: BoundTemplate
    names: frozenset[str]
    """What it mentions that it doesn't set itself."""
    pointer: str

    def fill(self, values: dict[str, Any]) -> GeneratedSection:
        heading = _rendered(self.heading, values, self.pointer)
        return GeneratedSection(
            heading=" ".join(heading.split()), text=_tidied(_rendered(self.body, values, self.pointer))
        )


def _parse(environment: Environment, section: SectionTemplate, pointer: str) -> _Section:
    try:
        heading, body = environment.from_string(section.heading), environment.from_string(section.body)
        for template in (heading, body):
            _refuse_ranges(template)
        names = frozenset(heading.analyze().globals) | frozenset(body.analyze().globals)
    except (LiquidError, RecursionError) as error:
        raise Refused(_unusable(pointer, error)) from None
    return _Section(heading, body, names, pointer)


def _rendered(template: BoundTemplate, values: dict[str, Any], pointer: str) -> str:
    try:
        return template.render(**values).strip()
    except (LiquidError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise Refused(_unusable(pointer, error)) from None


def _tidied(text: str) -> str:
    """Tags that print nothing leave empty lines behind; one at a time is enough."""
    return re.sub(r"\n[ \t]*(?:\n[ \t]*)+\n", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE))


def _check_length(sections: tuple[GeneratedSection, ...]) -> None:
    length = sum(len(section.heading) + len(section.text) for section in sections)
    if length > MOST_CHARACTERS:
        raise Refused(
            Problem.of(
                "document-too-long",
                "The document would be too long",
                422,
                f"the sections come to {length:,} characters and {MOST_CHARACTERS:,} are allowed; split the document",
            )
        )


def _facts_missing(names: list[str], mentioned: frozenset[str]) -> Problem:
    return Problem.of(
        "facts-missing",
        "Facts are missing",
        422,
        f"the wording needs facts that were not given: {', '.join(names[:MOST_REPORTED])}",
        errors=tuple(
            FieldProblem(pointer=_pointer(name, mentioned), detail=f"{name} has no value")
            for name in names[:MOST_REPORTED]
        ),
    )


def _pointer(name: str, mentioned: frozenset[str]) -> str:
    """A name that the template sets itself, such as a loop's, has no place of its own among the facts."""
    plain = re.fullmatch(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*", name)
    return f"/facts/{name.replace('.', '/')}" if plain and name.partition(".")[0] in mentioned else "/facts"


def _unusable(pointer: str, error: Exception) -> Problem:
    """Liquid's own words for what is wrong. The tag at fault is quoted, never the text around it nor a fact's value."""
    message = str(error.message) if isinstance(error, LiquidError) and error.message else type(error).__name__
    return Problem.of(
        "template-unusable",
        "The template can't be used",
        422,
        "a section can't be parsed or rendered with these facts; correct it and submit again",
        errors=(FieldProblem(pointer=pointer, detail=f"{_tag_at_fault(error)}{message[:300]}"),),
    )


def _tag_at_fault(error: Exception) -> str:
    if not isinstance(error, LiquidError) or error.token is None or error.token.start_index < 0:
        return ""
    source, place = error.token.source, error.token.start_index
    start = max(source.rfind("{{", 0, place + 2), source.rfind("{%", 0, place + 2))
    line = source.count("\n", 0, place) + 1
    tag = re.compile(r"\{[{%][^{}]{0,80}\}{0,2}").match(source, max(start, 0))
    return f"line {line}, {tag.group().strip()}: " if tag else f"line {line}: "


_TAGS = frozenset(
    {
        "content",
        "output",
        "illegal",
        "if",
        "unless",
        "case",
        "for",
        "break",
        "continue",
        "assign",
        "capture",
        "comment",
        "#",
    }
)
_FILTERS = frozenset(
    {
        "abs",
        "append",
        "at_least",
        "at_most",
        "capitalize",
        "ceil",
        "compact",
        "default",
        "divided_by",
        "downcase",
        "first",
    }
    | {"floor", "last", "map", "minus", "modulo", "plus", "prepend", "reverse", "round", "size", "sort", "strip", "sum"}
    | {"times", "truncate", "truncatewords", "uniq", "upcase", "where"}
)


class _Bounded(Environment):
    """Liquid with what a document needs, and nothing that grows without end."""

    block_nesting_limit = 12
    context_depth_limit = 12
    loop_iteration_limit = 20_000
    local_namespace_limit = 4_000_000
    output_stream_limit = 4 * MOST_CHARACTERS

    def __init__(self, missing: type[Undefined]) -> None:
        super().__init__(undefined=missing, loader=DictLoader({}))

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        filters = {name: function for name, function in self.filters.items() if name in _FILTERS} | {"join": _join}
        self.filters = {name: _checked(name, function, self.undefined) for name, function in filters.items()}
        self.filters |= {"money": wording.money, "number": wording.number, "date": wording.day}


def _checked(name: str, function: Callable[..., Any], undefined: type[Undefined]) -> Callable[..., Any]:
    """The filter, with a bound on what it returns. Nothing found, as `first` of an empty list, is a missing value."""

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if name != "default":
            _note_missing(args)
        result = function(*args, **kwargs)
        if isinstance(result, str) and len(result) > MOST_CHARACTERS:
            raise FilterValueError(f"{name} made more than {MOST_CHARACTERS:,} characters", token=None)
        if isinstance(result, int) and abs(result) > MOST_NUMBER:
            raise FilterValueError(f"{name} made a number beyond 10^30", token=None)
        if result is None or isinstance(result, list) and None in result:
            return undefined(f"the result of `{name}`")
        return result

    return checked


def _note_missing(values: Iterable[object]) -> None:
    """A filter would take a missing number for 0 and a missing text for none."""
    for value in values:
        if isinstance(value, Undefined):
            str(value)


def _join(items: object, separator: object = " ") -> str:
    if isinstance(items, Undefined):
        return ""
    if not isinstance(items, list):
        raise LiquidTypeError(f"join needs a list, not {type(items).__name__}", token=None)
    words = [str(item) for item in items]
    if sum(map(len, words)) + len(str(separator)) * len(words) > MOST_CHARACTERS:
        raise FilterValueError(f"join would make more than {MOST_CHARACTERS:,} characters", token=None)
    return str(separator).join(words)


def _noting(missing: dict[str, None]) -> type[Undefined]:
    """What stands for a name that isn't given: false in a condition, and noted as soon as its value is used."""

    class Missing(Undefined):
        __slots__ = ()

        def _note(self) -> None:
            missing[_path(self)] = None

        def __str__(self) -> str:
            self._note()
            return ""

        def __iter__(self) -> Iterator[Any]:
            self._note()
            return iter(())

        def __len__(self) -> int:
            self._note()
            return 0

        def __int__(self) -> int:
            self._note()
            return 0

    return Missing


def _path(name: Undefined) -> str:
    """`client.address` of "client.address is undefined", which is where Liquid keeps the whole path."""
    hint = name.hint or ""
    return hint.removesuffix(" is undefined").strip("'") if hint.endswith(" is undefined") else name.name


def _refuse_ranges(template: BoundTemplate) -> None:
    """A range such as (1..1000000000) is a list of any length in a few letters; documents loop over facts."""
    context = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    expressions: list[Expression] = []
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(context))
        expressions.extend(node.expressions())
    while expressions:
        expression = expressions.pop()
        if isinstance(expression, RangeLiteral):
            _no_ranges(expression)
        expressions.extend(expression.children())


def _no_ranges(expression: RangeLiteral) -> NoReturn:
    raise LiquidSyntaxError("ranges can't be used; loop over a list among the facts", token=expression.token)
