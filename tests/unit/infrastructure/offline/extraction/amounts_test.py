"""Sums of money, in the many ways people write them."""

from decimal import Decimal

import pytest

from infrastructure.offline.extraction.amounts import amounts_in, read_number


@pytest.mark.parametrize(
    ("text", "language", "value", "currency"),
    [
        ("EUR 1,250,000.00", "en", "1250000.00", "EUR"),
        ("€1.250.000,00", "de", "1250000.00", "EUR"),
        ("€1.250.000,00", "en", "1250000.00", "EUR"),
        ("$3.5 million", "en", "3500000", "USD"),
        ("USD 40k", "en", "40000", "USD"),
        ("CHF 12'500.—", "de", "12500", "CHF"),
        ("12 500,00 €", "fr", "12500.00", "EUR"),
        ("1\u202f250\u202f000 euros", "fr", "1250000", "EUR"),
        ("3,5 Mio. EUR", "de", "3500000", "EUR"),
        ("3,5 M€", "fr", "3500000", "EUR"),
        ("2,4 millions d'euros", "fr", "2400000", "EUR"),
        ("€2.5bn", "en", "2500000000", "EUR"),
        ("US$2.75m", "en", "2750000", "USD"),
        ("Fr. 350.–", "de", "350", "CHF"),
        ("1.5 million dollars", "en", "1500000", "USD"),
        ("JPY 120000000", "en", "120000000", "JPY"),
        ("€0.12", "en", "0.12", "EUR"),
    ],
)
def test_a_sum_is_read_to_the_last_cent(text: str, language: str, value: str, currency: str) -> None:
    (amount,) = amounts_in(f"It costs {text} in all.", language)

    assert (str(amount.value), amount.currency, amount.text) == (value, currency, text)


@pytest.mark.parametrize(
    ("written", "language", "scaled", "value"),
    [
        ("1.250", "de", False, "1250"),
        ("1.250", "en", False, "1250"),
        ("1.125", "en", True, "1.125"),
        ("1,125", "en", True, "1125"),
        ("1,125", "fr", True, "1.125"),
        ("12.50", "de", False, "12.50"),
    ],
)
def test_a_lone_separator_is_read_as_the_language_writes_it(
    written: str, language: str, scaled: bool, value: str
) -> None:
    assert read_number(written, language, scaled=scaled) == Decimal(value)


@pytest.mark.parametrize("text", ["EUR 1.234.56", "EUR", "1,250,000", "Europe 500", "FEUR 12", "12 EURATOM"])
def test_what_is_no_sum_for_certain_is_left_out(text: str) -> None:
    assert amounts_in(text, "en") == []


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("EUR 500 USD 300", ["EUR 500", "USD 300"]),
        ("500 EUR 300 EUR", ["500 EUR", "300 EUR"]),
        ("under Clause 3 EUR 500 is due", ["EUR 500"]),
    ],
)
def test_a_currency_belongs_to_one_number_only(text: str, quotes: list[str]) -> None:
    assert [amount.text for amount in amounts_in(text, "en")] == quotes


def test_a_dollar_sign_is_marked_as_a_guess_and_a_code_is_not() -> None:
    assert [amount.currency_certain for amount in amounts_in("$5 and USD 5", "en")] == [False, True]
