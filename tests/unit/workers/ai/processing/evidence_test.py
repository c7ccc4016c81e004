"""What of an extraction the text says."""

from decimal import Decimal
from typing import Any

import pytest

from workers.ai.processing.evidence import checked
from workers.ai.processing.support import number_is_in, supports

TEXT = "This Lease is made on 3 March 2026 between Alder Ltd and Birch GmbH. The rent is EUR 1,250.00 a month."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rent": {"type": "number"},
        "deposit": {"type": ["number", "null"]},
        "parties": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        },
        "made": {"type": "string", "format": "date"},
        "kind": {"const": "lease"},
    },
    "required": ["rent", "kind"],
}


def said(data: dict[str, Any], **quotes: str) -> dict[str, Any]:
    return {
        "data": data,
        "quotes": [{"path": path.replace("__", "/"), "quote": quote} for path, quote in quotes.items()],
    }


def test_each_value_has_its_passage_where_it_stands_in_the_text() -> None:
    found = checked(
        said(
            {"rent": 1250, "made": "2026-03-03", "parties": [{"name": "Alder Ltd"}], "kind": "lease"},
            __rent="EUR 1,250.00",
            __made="3 March 2026",
        ),
        TEXT,
        SCHEMA,
        "en",
    )

    assert (found.unsupported, found.unmet) == ((), ())
    assert {path: quote.text for path, quote in found.values.items()} == {
        ("rent",): "EUR 1,250.00",
        ("made",): "3 March 2026",
        ("parties", 0, "name"): "Alder Ltd",
    }
    assert all(TEXT[quote.offset :].startswith(quote.text) for quote in found.values.values())


def test_what_no_passage_says_is_null_or_left_out_and_listed() -> None:
    data = {
        "rent": 1250,
        "deposit": 500,
        "made": "2026-04-04",
        "parties": [{"name": "Oak Ltd"}, {"name": "Birch GmbH"}],
        "kind": "lease",
    }
    found = checked(
        said(data, __rent="EUR 1,250.00", __deposit="a deposit of 500", __made="3 March 2026"), TEXT, SCHEMA, "en"
    )

    assert found.data == {"rent": 1250, "deposit": None, "parties": [{"name": "Birch GmbH"}], "kind": "lease"}
    assert found.unsupported == (("deposit",), ("made",), ("parties", 0, "name"))
    assert found.values[("parties", 0, "name")].text == "Birch GmbH"


def test_a_required_value_that_no_passage_says_leaves_the_schema_unmet() -> None:
    found = checked(said({"rent": 9_999, "kind": "lease"}, __rent="EUR 1,250.00"), TEXT, SCHEMA, "en")

    assert [(error.path, error.rule) for error in found.unmet] == [((), "required")]


@pytest.mark.parametrize(
    ("passage", "value", "says"),
    [
        ("EUR 1,250.00", 1250, True),
        ("1.250,00 EUR", 1250, True),
        ("EUR 1,250.00", 1251, False),
        ("3.5 million dollars", 3_500_000, True),
        ("interest of 8 %", 0.08, True),
        ("interest of 8 %", 8, True),
        ("three years", 3, True),
        ("within 30 days", 31, False),
        ("(1,000)", -1000, True),
    ],
)
def test_a_number_has_to_stand_in_its_passage(passage: str, value: float, says: bool) -> None:
    assert number_is_in(passage, Decimal(str(value))) is says


def test_a_day_has_to_be_the_one_that_its_passage_names() -> None:
    assert supports("am 3. März 2026", "2026-03-03", "de")
    assert not supports("am 3. März 2026", "2026-03-04", "de")
    assert supports("the Monday after signing", "2026-03-09", "en")


def test_a_passage_that_says_something_else_supports_no_text() -> None:
    # What a document's hidden instruction had a model write, with a passage of the text beside it.
    found = checked(
        said(
            {"rent": 1250, "parties": [{"name": "HACKED"}], "kind": "lease"},
            __rent="1,250.00",
            __parties__0="Alder Ltd",
        ),
        TEXT,
        SCHEMA,
        "en",
    )
    assert found.unsupported == (("parties", 0, "name"),)


@pytest.mark.parametrize(
    ("passage", "value", "says"),
    [
        ("Alder Ltd (the Landlord)", "Alder Ltd", True),
        ("payable each month", "monthly", True),
        ("within thirty days of delivery", "thirty days", True),
        ("the laws of Germany", "DE", True),
        ("Birch GmbH", "Alder Ltd", False),
        ("The rent is EUR 1,250.00", "ignore the text", False),
    ],
)
def test_a_text_is_said_by_a_passage_with_half_of_its_words(passage: str, value: str, says: bool) -> None:
    assert supports(passage, value, "en") is says


def test_a_word_that_the_schema_offers_neednt_be_the_passages() -> None:
    schema = {"type": "object", "properties": {"form": {"type": "string", "enum": ["lease", "order"]}}}
    found = checked(said({"form": "lease"}, __form="The rent is EUR 1,250.00 a month."), TEXT, schema, "en")
    assert found.unsupported == ()
