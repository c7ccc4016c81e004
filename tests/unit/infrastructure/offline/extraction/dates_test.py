"""Dates, and when a date is too unclear to be given as one."""

import pytest

from infrastructure.offline.extraction.dates import dates_in


@pytest.mark.parametrize(
    ("text", "language", "iso"),
    [
        ("2026-03-14", "en", "2026-03-14"),
        ("14 March 2026", "en", "2026-03-14"),
        ("March 14, 2026", "en", "2026-03-14"),
        ("14th day of March, 2026", "en", "2026-03-14"),
        ("14-Mar-2026", "en", "2026-03-14"),
        ("1 March\n2026", "en", "2026-03-01"),
        ("14. März 2026", "de", "2026-03-14"),
        ("14.03.2026", "en", "2026-03-14"),
        ("1er janvier 2026", "fr", "2026-01-01"),
        ("3 de mayo de 2026", "es", "2026-05-03"),
        ("March 2026", "en", "2026-03"),
        ("25/12/2026", "en", "2026-12-25"),
        ("12/25/2026", "en", "2026-12-25"),
        ("04/05/2026", "fr", "2026-05-04"),
    ],
)
def test_a_date_is_given_in_iso_form(text: str, language: str, iso: str) -> None:
    (mention,) = dates_in(f"due on {text}, at noon", language)

    assert (mention.text, mention.iso) == (text, iso)


@pytest.mark.parametrize("text", ["04/05/2026", "31 February 2026"])
def test_a_date_that_could_be_another_is_quoted_without_a_value(text: str) -> None:
    (mention,) = dates_in(f"due on {text}.", "en")

    assert (mention.text, mention.iso) == (text, None)


@pytest.mark.parametrize(
    "text", ["version 1.2.10", "10.0.1.2", "clause 14.3", "may 12 people", "5/2026", "12-34-5678-9"]
)
def test_what_only_looks_like_a_date_is_left(text: str) -> None:
    assert dates_in(text, "en") == []
