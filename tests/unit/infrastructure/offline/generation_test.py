"""Filling templates: with all facts a document, and with one missing never a hole."""

from typing import Any

import pytest

from events.ai import Writing
from infrastructure.offline.generation.writer import write
from infrastructure.ports import Refused
from schemas.ai import GenerateDocument
from schemas.problems import Problem

NDA_FACTS: dict[str, Any] = {
    "effective_date": "2026-03-14",
    "first_party": {"name": "Acme Tools Ltd", "address": "1 Mill Lane, Leith", "signatory": "Ann Lee"},
    "second_party": {"name": "Brenner AG", "address": "Seestrasse 4, Zug", "signatory": "Urs Keel"},
    "purpose": "a joint gearbox",
    "term_years": 2,
    "survival_years": 5,
    "governing_law": "Scotland",
}
REPORT_FACTS: dict[str, Any] = {
    "project": "Lantern",
    "report_date": "2026-04-24",
    "status": "amber",
    "headline": "The app is three weeks late.",
    "done": ["71 tables moved"],
    "next": [{"what": "Choose a provider", "owner": "A. Brandt", "due": "2026-05-08"}],
    "spent": "642300",
    "budget": 910_000,
    "currency": "EUR",
}
LETTER_FACTS: dict[str, Any] = {
    "letter_date": "2026-03-14",
    "client": {"name": "Acme Tools Ltd", "address": "1 Mill Lane, Leith", "contact": "Ms Lee"},
    "firm": {"name": "Castellan Row LLP"},
    "scope": "the sale of the Leith works",
    "partner": "Thomas Reid",
    "fixed_fee": 12_500,
    "currency": "GBP",
    "client_duties": "Please send us the leases.",
}
PROPOSAL_FACTS: dict[str, Any] = {
    "provider": {"name": "Castellan Row LLP", "contact": "Thomas Reid"},
    "client": {"name": "Acme Tools Ltd"},
    "objective": "faster changeovers",
    "start_date": "2026-05-04",
    "total_fee": 30_000,
    "currency": "GBP",
    "situation": "Changeovers take an hour.",
    "phases": [{"name": "Look", "weeks": 1, "outcome": "we know why", "fee": 30_000}],
    "valid_until": "2026-04-30",
}


def filled(body: str, **facts: Any) -> str:
    return wrote({"sections": [{"heading": "H", "text": body}], "facts": facts}).sections[0].text


def wrote(fields: dict[str, Any]) -> Writing:
    return write(GenerateDocument.model_validate({"title": "A title", **fields}))


def refused(fields: dict[str, Any]) -> Problem:
    with pytest.raises(Refused) as error:
        wrote(fields)
    return error.value.problem


def refused_body(body: str, **facts: Any) -> Problem:
    return refused({"sections": [{"heading": "H", "text": body}], "facts": facts})


def test_facts_fill_headings_and_bodies() -> None:
    writing = wrote(
        {
            "sections": [
                {"heading": "For {{ client.name }}", "text": "{% for item in items %}- {{ item }}\n{% endfor %}"}
            ],
            "facts": {"client": {"name": "Acme"}, "items": ["one", "two"]},
        }
    )

    assert [(section.heading, section.text) for section in writing.sections] == [("For Acme", "- one\n- two")]


@pytest.mark.parametrize(
    ("template", "language", "facts"),
    [
        ("mutual_nda", "en", NDA_FACTS),
        ("mutual_nda", "de", NDA_FACTS),
        ("status_report", "en", REPORT_FACTS),
        ("status_report", "de", REPORT_FACTS),
        ("engagement_letter", "en", LETTER_FACTS),
        ("service_proposal", "en", PROPOSAL_FACTS),
    ],
)
@pytest.mark.parametrize("tone", ["formal", "plain"])
def test_a_built_in_template_becomes_a_document_that_uses_every_fact(
    template: str, language: str, facts: dict[str, Any], tone: str
) -> None:
    writing = wrote({"template": template, "language": language, "facts": facts, "tone": tone})

    assert len(writing.sections) >= 5
    assert writing.unused_facts == ()
    assert all(section.heading and section.text for section in writing.sections)
    assert not any("{" in section.text for section in writing.sections)


@pytest.mark.parametrize(
    ("template", "facts"),
    [
        ("mutual_nda", NDA_FACTS),
        ("status_report", REPORT_FACTS),
        ("engagement_letter", LETTER_FACTS),
        ("service_proposal", PROPOSAL_FACTS),
    ],
)
def test_a_built_in_template_without_its_facts_names_them_all_at_once(template: str, facts: dict[str, Any]) -> None:
    problem = refused({"template": template})

    assert problem.name == "facts-missing"
    named = {error.pointer.split("/")[2] for error in problem.errors}
    assert named >= facts.keys() - {"fixed_fee"}


@pytest.mark.parametrize(
    ("body", "facts", "pointer"),
    [
        ("{{ client }}", {}, "/facts/client"),
        ("{{ client.name }}", {"client": {"city": "Leith"}}, "/facts/client/name"),
        ("{{ client.name }}", {"client": {"name": None}}, "/facts/client/name"),
        ("{{ client }}", {"client": "  "}, "/facts/client"),
        ("{{ client | upcase }}", {}, "/facts/client"),
        ("{{ price | plus: tax }}", {"price": 1}, "/facts/tax"),
        ("{{ price | money: 'EUR' }}", {}, "/facts/price"),
        ("{{ names | join: ', ' }}", {}, "/facts/names"),
        ("{{ people | map: 'name' | join: ', ' }}", {"people": [{"name": "Ann"}, {}]}, "/facts"),
        ("{% for name in names %}{{ name }}{% endfor %}", {}, "/facts/names"),
        ("{% for p in people %}{{ p.name }}{% endfor %}", {"people": [{"name": "Ann"}, {"age": 1}]}, "/facts"),
        ("{{ names | first }}", {"names": []}, "/facts"),
    ],
)
def test_a_missing_fact_is_named_and_never_left_blank(body: str, facts: dict[str, Any], pointer: str) -> None:
    problem = refused_body(body, **facts)

    assert (problem.name, [error.pointer for error in problem.errors]) == ("facts-missing", [pointer])


def test_a_template_may_ask_whether_a_fact_is_there() -> None:
    body = "{% if notes %}{{ notes }}{% else %}none{% endif %}, {{ place | default: 'Leith' }}"

    assert filled(body) == "none, Leith"
    assert filled(body, notes="some", place="Kiel") == "some, Kiel"


def test_values_are_written_the_way_the_language_does() -> None:
    fields = {
        "sections": [{"heading": "H", "text": "{{ fee | money: 'EUR' }} · {{ users | number }} · {{ start | date }}"}],
        "facts": {"fee": "12500.5", "users": 12500, "start": "2026-03-14"},
    }

    assert wrote(fields).sections[0].text == "€12,500.50 · 12,500 · 14 March 2026"
    assert wrote(fields | {"language": "de"}).sections[0].text == "12.500,50\xa0€ · 12.500 · 14. März 2026"


def test_a_template_without_wording_in_the_language_says_so() -> None:
    problem = refused({"template": "engagement_letter", "language": "de"})

    assert (problem.name, problem.errors[0].pointer) == ("wording-missing", "/language")


def test_the_tone_is_reported_only_where_it_made_a_difference() -> None:
    assert wrote({"template": "mutual_nda", "facts": NDA_FACTS}).tone_applied
    assert not wrote({"template": "status_report", "facts": REPORT_FACTS}).tone_applied


def test_facts_that_nothing_mentions_are_reported() -> None:
    writing = wrote({"sections": [{"heading": "H", "text": "{{ a }}"}], "facts": {"a": 1, "b": 2}})

    assert writing.unused_facts == ("b",)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{{ unclosed ", "expected '}}'"),
        ("{% if %}x{% endif %}", "missing expression"),
        ("{{ a | shout }}", "unknown filter 'shout'"),
        ("{% include 'other' %}", "unexpected tag 'include'"),
        ("{{ a | money }}", "ISO 4217"),
        ("{{ a | date }}", "ISO 8601"),
        ("{{ 1 | divided_by: 0 }}", "divide by 0"),
    ],
)
def test_a_template_that_can_t_be_used_is_refused_at_its_section(body: str, says: str) -> None:
    problem = refused_body(body, a="x")

    assert problem.name == "template-unusable"
    assert problem.errors[0].pointer == "/sections/0"
    assert says in problem.errors[0].detail


@pytest.mark.parametrize(
    "body",
    [
        "{% assign s = 'aaaaaaaaaa' %}{% for i in l %}{% assign s = s | append: s %}{% endfor %}{{ s }}",
        "{% for i in l %}{% for j in l %}{% for k in l %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{{ (1..1000000000) | join: ',' }}",
        "{% if (1..1000000000) contains 'a' %}x{% endif %}",
        "{{ big | replace: 'x', big }}",
        "{{ l | join: big }}",
        "{{ 9 " + "| times: 999999999999 " * 100 + "}}",
        "{% if l " + "and l " * 3_000 + "%}x{% endif %}",
        "{% if l %}" * 40 + "x" + "{% endif %}" * 40,
        "{% for i in l %}{{ big }}{% endfor %}",
    ],
)
def test_a_template_that_would_grow_without_end_is_refused(body: str) -> None:
    assert refused_body(body, l=list(range(300)), big="x" * 100_000).name == "template-unusable"


def test_a_problem_quotes_no_fact() -> None:
    problem = refused_body("{{ secret | date }}", secret="the merger with Brenner AG")

    assert "Brenner" not in problem.model_dump_json()


def test_a_document_beyond_the_limit_is_refused() -> None:
    section = {"heading": "H", "text": "{{ big }}{{ big }}"}

    assert (
        refused({"sections": [section, section, section], "facts": {"big": "x" * 100_000}}).name == "document-too-long"
    )
