"""What the simulated models write: text or JSON that depends on nothing but the request."""

import hashlib
import json
import math
import random
import re
from collections.abc import Mapping
from typing import Any

TOKEN = re.compile(r"\w+|[^\w\s]")
PIECE = re.compile(r"\s*\S+")
MAX_DEPTH = 20
MAX_VALUES = 20_000
WORDS = [
    "agreement",
    "party",
    "term",
    "payment",
    "notice",
    "period",
    "delivery",
    "service",
    "report",
    "quality",
    "audit",
    "board",
    "meeting",
    "contract",
    "clause",
    "budget",
    "forecast",
    "review",
    "approval",
    "invoice",
    "supplier",
    "client",
    "project",
    "milestone",
    "risk",
    "measure",
    "record",
    "section",
    "document",
    "summary",
    "finding",
    "response",
    "request",
    "schedule",
    "amount",
    "balance",
    "warranty",
    "liability",
    "renewal",
    "scope",
    "purpose",
]


def tokens_in(text: str) -> int:
    """Words and marks: close enough to a tokenizer, and the same on each side."""
    return len(TOKEN.findall(text))


def pieces_of(text: str) -> list[str]:
    """The text in pieces that are a token each."""
    return PIECE.findall(text)


def prose(model: str, prompt: str, length: int) -> list[str]:
    """So many pieces of sentences."""
    dice = _dice(model, prompt)
    pieces: list[str] = []
    left_in_sentence = 0
    while len(pieces) < length:
        word = dice.choice(WORDS)
        starts = left_in_sentence == 0
        if starts:
            left_in_sentence = dice.randint(7, 13)
        left_in_sentence -= 1
        ends = left_in_sentence == 0 or len(pieces) == length - 1
        pieces.append(f"{' ' if pieces else ''}{word.capitalize() if starts else word}{'.' if ends else ''}")
    return pieces


def structured(model: str, prompt: str, schema: Mapping[str, Any]) -> list[str]:
    """The pieces of a JSON value that meets the schema, for what schemas usually say."""
    return pieces_of(json.dumps(_Filling(_dice(model, prompt), schema).value(schema)))


class _Filling:
    """One schema, and how many of its values there is still room for: one that refers to itself twice would double with
    each step."""

    def __init__(self, dice: random.Random, root: Mapping[str, Any]) -> None:
        self._dice = dice
        self._root = root
        self._left = MAX_VALUES

    def value(self, schema: Any, depth: int = 0) -> Any:
        self._left -= 1
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self._left < 0:
            return None
        elsewhere = _elsewhere(schema, self._root)
        if elsewhere is not None:
            return self.value(elsewhere, depth + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._dice.choice(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                properties: Mapping[str, Any] = schema.get("properties", {})
                return {name: self.value(one, depth + 1) for name, one in properties.items()}
            case "array":
                length = min(max(int(schema.get("minItems", 1)), 1), 20)
                return [self.value(schema.get("items", {}), depth + 1) for _ in range(length)]
            case "null":
                return None
            case "string":
                return _words(self._dice, schema)
            case simple:
                return _number(self._dice, schema, simple)


def _number(dice: random.Random, schema: Mapping[str, Any], kind: object) -> Any:
    if kind == "boolean":
        return dice.random() < 0.5
    low = float(schema.get("minimum", 0))
    high = max(float(schema.get("maximum", low + 1_000)), low)
    return dice.randint(math.ceil(low), math.floor(high)) if kind == "integer" else round(dice.uniform(low, high), 3)


def _words(dice: random.Random, schema: Mapping[str, Any]) -> str:
    match schema.get("format"):
        case "date":
            return f"20{dice.randint(20, 29)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        case "date-time":
            return f"2026-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}T12:00:00Z"
    text = " ".join(dice.choice(WORDS) for _ in range(3))
    return text[: int(schema.get("maxLength", 200))].ljust(int(schema.get("minLength", 0)), "x")


def _elsewhere(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The schema that this one refers to, or the first that it allows; None when it stands for itself."""
    if isinstance(schema.get("$ref"), str):
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(step) if isinstance(found, Mapping) else None
        return found
    combined = (schema.get(name) for name in ("anyOf", "oneOf", "allOf"))
    return next((allowed[0] for allowed in combined if isinstance(allowed, list) and allowed), None)


def _dice(model: str, prompt: str) -> random.Random:
    return random.Random(hashlib.sha256(f"{model}\n{prompt}".encode()).digest())
