"""No section's own text changes the outline of the document that it stands in."""

import pytest

from events.ai import GeneratedSection
from workers.ai.generation.markdown import as_markdown, below, section_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The rent is due.", "The rent is due."),
        ("# Rent\n\nIt is due.", "It is due."),
        ("**Text**\n\n# Amounts\nEUR 5\n## In words\nFive", "**Text**\n\n### Amounts\nEUR 5\n#### In words\nFive"),
        ("#### Deep\nText", "#### Deep\nText"),
        ("Amounts\n=======\nEUR 5\n\nIn words\n---\nFive", "### Amounts\nEUR 5\n\n#### In words\nFive"),
        ("- a list\n---\nA rule stays a rule.", "- a list\n---\nA rule stays a rule."),
        ("```\n# no heading\n```", "```\n# no heading\n```"),
        ("~~~~\n# no heading\n~~~", "~~~~\n# no heading\n~~~\n~~~~"),
        ("```python\nprint()", "```python\nprint()\n```"),
        ("#1 in sales", "#1 in sales"),
        ("Nul \x00 and \ud800", "Nul  and ?"),
        ("  \n ", ""),
    ],
)
def test_a_section_keeps_below_its_heading(text: str, shown: str) -> None:
    assert below(section_text(text), "Rent") == shown


def test_what_is_kept_of_a_section_is_what_readers_saw_of_it() -> None:
    assert section_text("\n## Sub\n\nText.\n") == "## Sub\n\nText."
    assert section_text("```\ncode") == "```\ncode\n```"


def test_a_document_is_its_title_and_its_sections() -> None:
    sections = [GeneratedSection(heading="A", text="One."), GeneratedSection(heading="B", text="### C\nTwo.")]

    assert as_markdown("Notice\nof rent", sections) == "# Notice of rent\n\n## A\n\nOne.\n\n## B\n\n### C\nTwo.\n"
