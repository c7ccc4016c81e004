"""How a language writes amounts, numbers and dates: the filters `money`, `number` and `date`.

A missing value gives an empty text here; that it is missing is noted by whoever calls a filter.
"""

from datetime import date
from decimal import Decimal, InvalidOperation

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from liquid import RenderContext
from liquid.exceptions import FilterValueError
from liquid.filter import with_context
from liquid.undefined import Undefined

MAX_DIGITS = 30


@with_context
def money(value: object, currency: object = None, *, context: RenderContext) -> str:
    """`{{ fee | money: "EUR" }}`: €12,500.00 in English, 12.500,00 € in German."""
    if isinstance(value, Undefined) or isinstance(currency, Undefined):
        return ""
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise FilterValueError('money needs an ISO 4217 code, as in `money: "EUR"`', token=None)
    return format_currency(_decimal(value, "money"), currency, locale=_locale(context))


@with_context
def number(value: object, *, context: RenderContext) -> str:
    """`{{ users | number }}`: 12,500 in English, 12.500 in German."""
    if isinstance(value, Undefined):
        return ""
    return format_decimal(_decimal(value, "number"), locale=_locale(context))


@with_context
def day(value: object, *, context: RenderContext) -> str:
    """`{{ start | date }}` of an ISO date: 14 March 2026 in English, 14. März 2026 in German."""
    if isinstance(value, Undefined):
        return ""
    try:
        return format_date(date.fromisoformat(str(value)), format="long", locale=_locale(context))
    except ValueError:
        raise FilterValueError("date needs an ISO 8601 date, as in 2026-03-14", token=None) from None


def _decimal(value: object, name: str) -> Decimal:
    try:
        if isinstance(value, bool) or len(str(value)) > MAX_DIGITS:
            raise InvalidOperation
        amount = Decimal(str(value))
    except InvalidOperation:
        raise FilterValueError(f"{name} needs a number, as in 1250.00", token=None) from None
    if not amount.is_finite() or abs(amount.adjusted()) > MAX_DIGITS:
        raise FilterValueError(f"{name} needs a number of at most {MAX_DIGITS} digits", token=None)
    return amount


def _locale(context: RenderContext) -> str:
    return {"de": "de_DE"}.get(str(context.resolve("language")), "en_GB")
