"""A template that was read: what it mentions, and what it makes of values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liquid.template import BoundTemplate

from infrastructure.liquid.faults import FAULTS, fault_in, place_in


class TemplateUnusable(Exception):
    """A template can't be read, or not filled with these values. The message quotes the tag at fault, never the text around
    it nor a value."""


@dataclass(frozen=True, slots=True)
class Template:
    parsed: BoundTemplate | None
    """None for one without tags, which says the same whatever is given."""
    source: str
    names: Mapping[str, int]
    """What it mentions and doesn't set itself, each with where it first does."""

    def fill(self, values: Mapping[str, Any]) -> str:
        """The text, without blanks around it. Raises TemplateUnusable."""
        if self.parsed is None:
            return self.source.strip()
        try:
            return self.parsed.render(**values).strip()
        except FAULTS as error:
            raise TemplateUnusable(fault_in(error)) from None

    def fill_line(self, values: Mapping[str, Any]) -> str:
        return " ".join(self.fill(values).split())

    def fill_text(self, values: Mapping[str, Any]) -> str:
        """Tags that print nothing leave empty lines behind; one at a time is enough."""
        text = re.sub(r"[ \t]+$", "", self.fill(values), flags=re.MULTILINE)
        return re.sub(r"\n[ \t]*(?:\n[ \t]*)+\n", "\n\n", text)


def template_of(parsed: BoundTemplate, source: str) -> Template:
    """Raises a LiquidError or RecursionError for one that can't be analyzed, and TemplateUnusable for a filter that there isn't:
    Liquid itself finds that out when it comes by it."""
    analysis = parsed.analyze()
    for name, spans in analysis.filters.items():
        if name not in parsed.env.filters:
            raise TemplateUnusable(f"{place_in(source, spans[0].index)}unknown filter '{name}'")
    places = {name: min(one.span.index for one in found) for name, found in analysis.globals.items()}
    return Template(parsed, source, places)
