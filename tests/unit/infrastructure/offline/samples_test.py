"""What is found in the sample documents, each fact checked against the document by a person."""

from decimal import Decimal

import pytest

from events.ai import Party
from infrastructure.offline.analysis.summary import summary_of
from infrastructure.offline.text.language import language_of
from infrastructure.offline.text.sentences import prose_in
from tests.unit.infrastructure.offline.samples import NAMES, facts_in, sample
from workers.ai.processing.facts import FoundFacts


def facts_of(name: str) -> FoundFacts:
    return facts_in(sample(name), language_of(sample(name)).code)


def roles(name: str) -> dict[str, str | None]:
    return {party.name: party.role for party in facts_of(name).parties}


def sums(name: str) -> list[tuple[Decimal, str]]:
    return [(amount.value, amount.currency) for amount in facts_of(name).amounts]


def test_the_samples_are_many_and_varied() -> None:
    sizes = {name: len(sample(name).encode()) for name in NAMES}
    languages = [language_of(sample(name)).code for name in NAMES]

    assert len(NAMES) >= 14
    assert all(1_000 <= size <= 20_000 for size in sizes.values())
    assert sum(size > 8_000 for size in sizes.values()) >= 5
    assert (languages.count("de"), languages.count("fr"), languages.count("en")) == (1, 1, len(NAMES) - 2)


def test_the_service_agreement_names_its_parties_its_price_and_its_terms() -> None:
    facts = facts_of("master-services-agreement.md")

    assert [(party.name, party.legal_form, party.role, party.mentions) for party in facts.parties] == [
        ("Northgate Analytics Ltd", "Ltd", "Supplier", 2),
        ("Harborline Logistics plc", "plc", "Customer", 2),
    ]
    assert facts.amounts[0].model_dump(mode="json") == {
        "text": "GBP 1,248,000.00",
        "offset": sample("master-services-agreement.md").index("GBP 1,248,000.00"),
        "value": "1248000.00",
        "currency": "GBP",
        "currency_certain": True,
    }
    assert [date.iso for date in facts.dates][:3] == ["2026-03-14", "2025-11-30", "2029-03-13"]
    meanings = {term.text: term.definition.text if term.definition else None for term in facts.defined_terms}
    assert meanings["Effective Date"] is None
    assert meanings["Deliverable"] == (
        "any software, report, data model or document that the Supplier must hand over under a Statement of Work"
    )


def test_the_lease_names_a_person_as_landlord_and_a_company_as_tenant() -> None:
    parties = facts_of("commercial-lease.txt").parties

    assert [(party.name, party.legal_form, party.role) for party in parties[:2]] == [
        ("Margaret Ellison", None, "Landlord"),
        ("Copper Kettle Roasters Ltd", "Ltd", "Tenant"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data-processing-agreement.md", {"Brightwell Clinics S.A.": "Controller", "Nimbus Records B.V.": "Processor"}),
        (
            "software-licence-agreement.txt",
            {"Juniper Falls Software, LLC": "Licensor", "Tamarack Credit Union Services Corp.": "Licensee"},
        ),
        (
            "purchase-order-4500021877.txt",
            {"Stellmacher Bühnentechnik GmbH": "Buyer", "Tessitore Luci S.r.l.": "Supplier"},
        ),
        (
            "werkvertrag-softwareentwicklung.txt",
            {"Ahrensbök Wärmetechnik GmbH & Co. KG": "Auftraggeberin", "Pixelwerft Software AG": "Auftragnehmerin"},
        ),
        (
            "contrat-de-prestation.txt",
            {"Atelier Boréal SARL": "Prestataire", "Hôtels du Grand Tétras S.A.": "Client"},
        ),
        ("mutual-nda.md", {"Veltrane Robotics Inc.": None, "Osterfeld Sensorik GmbH": None}),
    ],
)
def test_each_party_has_the_role_that_the_document_gives_it(name: str, expected: dict[str, str | None]) -> None:
    assert expected.items() <= roles(name).items()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("werkvertrag-softwareentwicklung.txt", [(Decimal("248500.00"), "EUR"), (Decimal(2_000_000), "EUR")]),
        ("contrat-de-prestation.txt", [(Decimal("186400.00"), "EUR"), (Decimal(2_400_000), "EUR")]),
        ("share-purchase-term-sheet.txt", [(Decimal(23_800_000), "CHF"), (Decimal(21_500_000), "CHF")]),
        ("annual-financial-report-2025.md", [(Decimal(486_200_000), "SEK"), (Decimal(58_000_000), "DKK")]),
        ("rfp-warehouse-automation.md", [(Decimal(11_800_000), "GBP"), (Decimal(420_000), "GBP")]),
        ("technical-specification-telemetry-gateway.md", [(Decimal("1.74"), "USD"), (Decimal(47_500), "CHF")]),
    ],
)
def test_amounts_are_read_in_the_document_s_own_notation(name: str, expected: list[tuple[Decimal, str]]) -> None:
    assert set(expected) <= set(sums(name))


def test_german_and_french_dates_are_read_as_they_are_written_there() -> None:
    german = {date.text: date.iso for date in facts_of("werkvertrag-softwareentwicklung.txt").dates}
    french = {date.text: date.iso for date in facts_of("contrat-de-prestation.txt").dates}

    assert (german["16. Februar 2026"], german["15.09.2026"]) == ("2026-02-16", "2026-09-15")
    assert (french["1er février 2026"], french["15/09/2026"]) == ("2026-02-01", "2026-09-15")


def test_terms_are_found_in_the_quotation_marks_of_their_language() -> None:
    german = [term.text for term in facts_of("werkvertrag-softwareentwicklung.txt").defined_terms]
    french = [term.text for term in facts_of("contrat-de-prestation.txt").defined_terms]

    assert german == ["Auftraggeberin", "Auftragnehmerin", "Anwendung", "Abnahme"]
    assert french == ["le Prestataire", "le Client", "Livrable", "Recette"]


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_is_a_few_whole_sentences_in_the_order_of_the_text(name: str) -> None:
    text = sample(name)
    prose = prose_in(text)
    summary = summary_of(prose, language_of(text).code)

    assert 2 <= len(summary) <= 8
    assert [sentence.offset for sentence in summary] == sorted(sentence.offset for sentence in summary)
    assert {sentence.text for sentence in summary} <= {sentence.text for sentence in prose}


def test_a_name_in_the_running_text_is_not_cut_out_of_its_surroundings() -> None:
    text = "1. Deltakabel Hosting N.V., Groningen\n\nJonah Pryce of Pryce Hallam LLP met the Bank of Leith plc."

    assert [party.name for party in facts_in(text, "en").parties] == [
        "Deltakabel Hosting N.V.",
        "Pryce Hallam LLP",
        "Bank of Leith plc",
    ]


def test_lists_are_cut_at_their_limit_and_say_so() -> None:
    facts = facts_in("Paid EUR 10 on 2026-03-14. " * 300, "en")

    assert (len(facts.dates), len(facts.amounts)) == (200, 200)
    assert (facts.left_out.dates, facts.left_out.amounts, facts.left_out.parties) == (100, 100, 0)


def test_a_party_is_one_entry_however_often_it_is_named() -> None:
    (party,) = facts_in("ACME TOOLS LTD\n\nAcme Tools Ltd (the “Supplier”) sells. Acme Tools\nLtd pays.", "en").parties

    assert isinstance(party, Party)
    assert (party.name, party.role, party.mentions) == ("Acme Tools Ltd", "Supplier", 3)
