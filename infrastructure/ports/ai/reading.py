"""What models are asked about a text: the forms of their answers. Every model answers in them, `offline` by rules.

Each passage is given word for word, and nothing else says where it stands: whoever asked looks for it in the text.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final

from pydantic import Field

from events.ai import Feeling, Severity
from schemas.ai import Category, Criterion
from schemas.model import Model

MAX_OF_A_KIND: Final = 200
MAX_PHRASES: Final = 15
MAX_SUMMARY: Final = 8
MAX_PASSAGES: Final = 5
TEXT, REFERENCE = "text", "reference"
"""The ids of the documents in a prompt, where the command names none."""

Passage = str
"""Word for word as the text has it."""
Part = Annotated[float, Field(ge=0, le=1)]
Further = Annotated[int, Field(ge=0)]


class SaidSentence(Model):
    quote: Passage
    weight: Part
    """How much it says about the whole."""


class SaidDate(Model):
    quote: Passage
    iso: str | None
    """YYYY-MM-DD, or YYYY-MM; null where the text leaves it open."""


class SaidAmount(Model):
    quote: Passage
    value: str | None
    """The full amount as a decimal."""
    currency: str | None
    """ISO 4217."""


class SaidParty(Model):
    quote: Passage
    """Its first mention."""
    legal_form: str | None
    role: str | None
    """As the text defines or labels it."""


class SaidTerm(Model):
    term: Passage
    quote: Passage
    """Where it is defined: a passage with the term in it."""
    definition: Passage | None
    """What follows "means"; null where the text only names it."""


class FurtherFacts(Model):
    """How many more there are than the lists have room for."""

    dates: Further
    amounts: Further
    parties: Further
    defined_terms: Further


class Facts(Model):
    """The document's own facts, each list in the order of the text."""

    summary: Annotated[tuple[SaidSentence, ...], Field(max_length=MAX_SUMMARY)]
    """Three to eight sentences that say most about the whole."""
    key_phrases: Annotated[tuple[Passage, ...], Field(max_length=MAX_PHRASES)]
    """Of one to four words, the best first."""
    dates: Annotated[tuple[SaidDate, ...], Field(max_length=MAX_OF_A_KIND)]
    amounts: Annotated[tuple[SaidAmount, ...], Field(max_length=MAX_OF_A_KIND)]
    """Sums of money, each mention."""
    parties: Annotated[tuple[SaidParty, ...], Field(max_length=MAX_OF_A_KIND)]
    """Companies, and persons in a defined role, once each."""
    defined_terms: Annotated[tuple[SaidTerm, ...], Field(max_length=MAX_OF_A_KIND)]
    further: FurtherFacts


class SaidFeeling(Model):
    quote: Passage
    feeling: Feeling
    negated: bool


class SaidSentiment(Model):
    passages: Annotated[tuple[SaidFeeling, ...], Field(max_length=50)]
    """Words and phrases that speak well or ill of their matter."""
    further_positive: Further
    further_negative: Further
    supported: bool
    """False only if you can't read the text's language."""


class SaidRisk(Model):
    quote: Passage
    category: str
    severity: Severity
    why: str


class FurtherRisks(Model):
    category: str
    count: Further


class SaidRisks(Model):
    terms: Annotated[tuple[SaidRisk, ...], Field(max_length=100)]
    """Wording that a reviewer should look at."""
    further: Annotated[tuple[FurtherRisks, ...], Field(max_length=100)]
    supported: bool
    """False only if you can't read the text's language."""


class SaidChange(Model):
    before: Passage
    """In the reference."""
    after: Passage
    """In the text."""


class SaidComparison(Model):
    """Sentence by sentence; one that only moved is no difference."""

    added: Annotated[tuple[Passage, ...], Field(max_length=100)]
    removed: Annotated[tuple[Passage, ...], Field(max_length=100)]
    changed: Annotated[tuple[SaidChange, ...], Field(max_length=100)]
    further: Further


class SaidFit(Model):
    fit: Part
    """1 for a text that is certainly of this category."""
    quotes: Annotated[tuple[Passage, ...], Field(max_length=MAX_PASSAGES)]


class SaidScore(Model):
    score: Part
    why: str
    quotes: Annotated[tuple[Passage, ...], Field(max_length=MAX_PASSAGES)]


FACTS: Final = "facts of a document"
EXTRACTION: Final = "extraction from a document"
ANALYSIS: Final = "analysis of a text"
REPAIR: Final = "repair of an answer"
"""The titles of the schemas, by which `offline` knows what it is asked."""

ANALYSES: Final[Mapping[str, type[Model]]] = {
    "sentiment": SaidSentiment,
    "risk_terms": SaidRisks,
    "comparison": SaidComparison,
}


def facts_schema(language: str) -> dict[str, Any]:
    return {**_closed({**_form_of(Facts)["properties"], "language": _only(language)}), "title": FACTS}


def extraction_schema(schema: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The command's schema for `data`, and a passage for each value in it."""
    data = {name: one for name, one in schema.items() if name not in ("$defs", "$schema")}
    path = {"type": "string", "description": "A JSON pointer into data, such as /parties/0/name."}
    quote = {"type": "string", "description": "Word for word as the document has it."}
    properties = {
        "language": _only(language),
        "data": data,
        "quotes": {"type": "array", "items": _closed({"path": path, "quote": quote})},
    }
    return {**_closed(properties), "title": EXTRACTION, "$defs": schema.get("$defs", {})}


def analysis_schema(
    analyses: tuple[str, ...], categories: tuple[Category, ...], criteria: tuple[Criterion, ...], language: str
) -> dict[str, Any]:
    """Of those analyses that a model answers, in their order."""
    properties: dict[str, Any] = {"language": _only(language)}
    for analysis in analyses:
        match analysis:
            case "classification":
                properties[analysis] = _by_name(categories, SaidFit)
            case "scoring":
                properties[analysis] = _by_name(criteria, SaidScore)
            case _:
                properties[analysis] = _form_of(ANALYSES[analysis])
    return {**_closed(properties), "title": ANALYSIS}


def repair_schema(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    return {**_closed({"corrected": dict(schema)}), "title": REPAIR, "$defs": dict(definitions)}


def _by_name(given: tuple[Category, ...] | tuple[Criterion, ...], form: type[Model]) -> dict[str, Any]:
    return _closed({one.name: {**_form_of(form), "description": one.description} for one in given})


def _only(value: str) -> dict[str, Any]:
    return {"type": "string", "enum": [value]}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Providers enforce a schema only if all properties of an object are required, and no others allowed."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


@cache
def _form_of(form: type[Model]) -> dict[str, Any]:
    """The model's schema with its definitions put in place, so that it can stand inside of another."""
    schema = form.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        match part:
            case {"$ref": str(reference), **rest}:
                return inlined({**definitions[reference.removeprefix("#/$defs/")], **rest})
            case dict():
                return {name: inlined(one) for name, one in part.items() if name != "title" or not isinstance(one, str)}
            case list():
                return [inlined(one) for one in part]
            case _:
                return part

    found: dict[str, Any] = inlined(schema)
    return found


def decimal_of(written: str | None) -> Decimal | None:
    """None for what is no finite number of money's size."""
    try:
        value = Decimal((written or "").strip())
    except ArithmeticError:
        return None
    return value if value.is_finite() and abs(value) < Decimal(10) ** 18 else None
