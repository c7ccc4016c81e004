"""Text is read in whatever encoding it comes, and is storable whatever it holds."""

import pytest

from tests.unit.infrastructure.extraction.conftest import Extract, text_of
from tests.unit.infrastructure.extraction.producers import docx, made_by_libreoffice

GERMAN = "Der Auftragnehmer übergibt die Software einschließlich der Unterlagen bis zum Ende des Monats März. " * 5
RUSSIAN = (
    "Поставщик обязуется передать товар в течение тридцати дней, а покупатель обязуется принять и оплатить его. " * 5
)
GREEK = "Ο προμηθευτής παραδίδει τα εμπορεύματα εντός τριάντα ημερών από την παραγγελία και φέρει τον κίνδυνο. " * 5
JAPANESE = (
    "供給者は注文から三十日以内に商品を引き渡し、受領されるまで危険を負担するものとします。支払いは十四日以内に行います。"
    * 5
)
CHINESE = (
    "供应商应在订单之日起三十天内交付货物，并在收货之前承担风险。发票应在十四天内支付，逾期付款按年利率百分之五计息。"
    * 5
)
HEBREW = (
    "הספק ימסור את הסחורה בתוך שלושים יום מיום ההזמנה, ויישא בסיכון עד לקבלתה. החשבוניות ישולמו בתוך ארבעה עשר יום. "
    * 5
)
ARABIC = (
    "يلتزم المورد بتسليم البضائع خلال ثلاثين يوما من تاريخ الطلب ويتحمل المخاطر حتى استلامها وتدفع الفواتير خلال أربعة عشر يوما. "
    * 5
)


@pytest.mark.parametrize(
    ("text", "encoding", "language"),
    [
        (GERMAN, "utf-8", "de"),
        (GERMAN, "utf-8-sig", "de"),
        (GERMAN, "cp1252", "de"),
        (GERMAN, "utf-16", "de"),
        (GERMAN, "utf-16-le", "de"),
        (GERMAN, "utf-16-be", "de"),
        (GERMAN, "utf-32", "de"),
        (RUSSIAN, "cp1251", "ru"),
        (RUSSIAN, "koi8-r", "ru"),
        (RUSSIAN, "utf-16", "ru"),
        (GREEK, "cp1253", "el"),
        (JAPANESE, "shift_jis", "ja"),
        (JAPANESE, "euc_jp", "ja"),
        (JAPANESE, "iso2022_jp", "ja"),
        (CHINESE, "gb18030", "zh"),
        (CHINESE, "big5", "zh"),
        (HEBREW, "cp1255", "he"),
        (ARABIC, "cp1256", "ar"),
        (ARABIC, "utf-8", "ar"),
    ],
)
def test_text_is_read_in_the_encoding_it_came_in(extract: Extract, text: str, encoding: str, language: str) -> None:
    if encoding == "big5":
        text = (
            "供應商應在訂單之日起三十天內交付貨物，並在收貨之前承擔風險。發票應在十四天內支付，逾期付款按年利率百分之五計息。"
            * 5
        )

    extracted = text_of(extract(text.encode(encoding)))

    assert extracted.text == text
    assert extracted.language.code == language


@pytest.mark.parametrize("declared", ["windows-1251", "cp1251"])
def test_a_page_is_read_in_the_encoding_it_declares(extract: Extract, declared: str) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body><p>Цена</p></body></html>'

    assert text_of(extract(page.encode("cp1251"))).text == "Цена\n"


@pytest.mark.parametrize("declared", ["base64", "zlib", "no-such", "utf-7", "idna"])
def test_a_declared_encoding_that_is_none_is_passed_over(extract: Extract, declared: str) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body><p>Prix : 12 €, payés</p></body></html>'

    assert text_of(extract(page.encode())).text == "Prix : 12 €, payés\n"


@pytest.mark.parametrize("text", [HEBREW, ARABIC])
def test_text_from_right_to_left_keeps_the_order_it_was_typed_in(extract: Extract, text: str) -> None:
    assert text in text_of(extract(docx(paragraphs=[text]))).text


def test_a_pdf_from_right_to_left_gives_its_words_in_the_order_they_are_read(extract: Extract) -> None:
    extracted = text_of(extract(made_by_libreoffice("rtl.pdf")))

    assert "הספק ימסור את הסחורה בתוך שלושים יום מיום ההזמנה" in extracted.text
    assert "المورد بتسليم البضائع" in extracted.text


def test_line_ends_are_line_feeds_and_controls_are_gone(extract: Extract) -> None:
    content = ("one\r\ntwo\rthree\x07\n" + "and four words more\n" * 40).encode()

    assert text_of(extract(content)).text.startswith("one\ntwo\nthree\nand four")


def test_form_feeds_begin_pages(extract: Extract) -> None:
    extracted = text_of(extract(b"first page\n\fsecond page\n\fthird page\n"))

    assert [extracted.text[offset:].split()[0] for offset in extracted.page_offsets] == ["first", "second", "third"]
