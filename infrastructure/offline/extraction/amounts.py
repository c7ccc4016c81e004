"""Which sums of money does the text name?"""

import re
from collections.abc import Iterable
from decimal import Decimal

from events.ai import Amount

_CODE = (
    "EUR|USD|GBP|CHF|JPY|CNY|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|CAD|AUD|NZD|SGD|HKD|INR|ZAR|BRL|MXN|KRW|AED|SAR|ILS"
)
CURRENCY_CODES = frozenset(_CODE.split("|"))
_LETTERED_SIGNS = {
    "US$": "USD",
    "CA$": "CAD",
    "C$": "CAD",
    "AU$": "AUD",
    "A$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "R$": "BRL",
    "zł": "PLN",
    "SFr.": "CHF",
    "Fr.": "CHF",
}
_SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "$": "USD", "¥": "JPY"}
_NAMES = {
    "euros": "EUR",
    "euro": "EUR",
    "us dollars": "USD",
    "u.s. dollars": "USD",
    "dollars": "USD",
    "pounds sterling": "GBP",
    "swiss francs": "CHF",
    "schweizer franken": "CHF",
    "francs suisses": "CHF",
    "franken": "CHF",
}
_UNCERTAIN = frozenset({"$", "¥", "dollars"})
_CURRENCIES = {mark.casefold(): code for mark, code in (_LETTERED_SIGNS | _SIGNS | _NAMES).items()}
_SCALES = {
    **dict.fromkeys(("k", "tsd", "tsd.", "thousand", "tausend", "mille"), 3),
    **dict.fromkeys(("m", "mn", "mio", "mio.", "million", "millions", "millionen", "millones", "milioni"), 6),
    **dict.fromkeys(("bn", "mrd", "mrd.", "billion", "milliarde", "milliarden", "milliard", "milliards"), 9),
}
"""How many zeros a word stands for."""


def _any_of(words: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


_GAP = "[ \u00a0\u202f]"
_NO_LETTER_BEFORE = r"(?<![^\W\d_])"
_NO_LETTER_AFTER = r"(?![^\W\d_])"
_NUMBER = (
    rf"(?P<number>\d{{1,3}}(?:[.,'’]\d{{3}}|{_GAP}\d{{3}}){{1,5}}(?:[.,]\d{{1,2}})?(?!\d)"
    r"|\d{1,15}(?:[.,]\d{1,4})?(?!\d))"
)
_ROUND = "(?:[.,][-–—]{1,2})?"
_SCALE = rf"(?ai:(?P<scale>{_any_of(_SCALES)}))"
_MARK = (
    rf"(?:{_NO_LETTER_BEFORE}(?:{_CODE}){_NO_LETTER_AFTER}"
    rf"|{_NO_LETTER_BEFORE}{_any_of(_LETTERED_SIGNS)}|{_any_of(_SIGNS)})"
)
_MARK_FIRST = re.compile(rf"(?P<mark>{_MARK})[ \u00a0\u202f\n]?{_NUMBER}{_ROUND}(?:{_GAP}?{_SCALE}{_NO_LETTER_AFTER})?")
_NUMBER_FIRST = re.compile(
    rf"(?<![\w.,'’]){_NUMBER}{_ROUND}(?:{_GAP}?{_SCALE}(?={_GAP}|{_any_of(_SIGNS)}))?"
    rf"(?:{_GAP}(?:of|de|d’|d'))?{_GAP}?(?P<mark>{_MARK}|(?ai:{_any_of(_NAMES)}\b))"
)


def amounts_in(text: str, language: str) -> list[Amount]:
    """Every sum with a currency, in order, as written and as a decimal. A number that can be read two ways is left."""
    amounts: list[Amount] = []
    end = 0
    for found in _candidates(text):
        scale = _SCALES[found["scale"].casefold()] if found["scale"] else 0
        value = read_number(found["number"], language, scaled=bool(scale))
        if found.start() < end or value is None:
            continue
        mark = found["mark"].casefold()
        amounts.append(
            Amount(
                text=found.group(),
                offset=found.start(),
                value=_scaled(value, scale),
                currency=_CURRENCIES.get(mark, mark.upper()),
                currency_certain=mark not in _UNCERTAIN,
            )
        )
        end = found.end()
    return amounts


def _candidates(text: str) -> list[re.Match[str]]:
    """Both orders, by place. In "Clause 3 EUR 500" the sign belongs to 500, in "500 EUR 300 EUR" to the one before."""
    mark_first = list(_MARK_FIRST.finditer(text))
    number_first = list(_NUMBER_FIRST.finditer(text))
    begun = {match.start("number") for match in number_first}
    claimed = {match.start("mark") for match in mark_first if match.start("number") not in begun}
    kept = [match for match in number_first if match.start("mark") not in claimed]
    return sorted(mark_first + kept, key=lambda match: match.start())


_DECIMAL_COMMA = frozenset({"de", "fr", "es", "it", "nl", "pt", "da", "nb", "no", "sv", "fi", "pl", "cs"})


def read_number(written: str, language: str, *, scaled: bool = False) -> Decimal | None:
    """The number as written in this language, or None where its separators contradict each other.

    A single separator before three digits groups thousands, because money has no thousandths. Before "million" it may
    well be a decimal one ("1.125 million"), and there the language decides.
    """
    joined = re.sub("[ \u00a0\u202f'’]", "", written)
    separators = [character for character in joined if character in ".,"]
    match separators:
        case []:
            return Decimal(joined)
        case [only]:
            whole, _, part = joined.partition(only)
            decimal_sign = "," if language in _DECIMAL_COMMA else "."
            thousands = len(part) == 3 and not (scaled and only == decimal_sign)
            return Decimal(whole + part if thousands else f"{whole}.{part}")
        case [first, *_, last] if first != last and separators.count(last) == 1:
            return Decimal(joined.replace(first, "").replace(last, "."))
        case [first, *_] if len(joined.rpartition(first)[2]) == 3:
            return Decimal(joined.replace(first, ""))
        case _:
            return None


def _scaled(value: Decimal, zeros: int) -> Decimal:
    """Written out: 3.5 million is 3500000, never 3.5E+6; cents stay as they are."""
    amount = value.scaleb(zeros)
    return amount.quantize(Decimal(1)) if zeros and amount == amount.to_integral_value() else amount
