"""Money as Redis counts it: a whole number of 1e-10 dollars, as the ledger's numeric(18, 10) has it, in text."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

UNITS_IN_A_DOLLAR = 10**10
MAX_DOLLARS = Decimal(100_000_000)
"""Sums of a few such amounts still fit into the 64 bits that Redis adds in."""
UNLIMITED = ""


def units_of(dollars: Decimal) -> str:
    """Rounded up, if it has more decimals. ValueError for an amount that can't be."""
    if not dollars.is_finite() or not 0 <= dollars <= MAX_DOLLARS:
        raise ValueError(f"an amount must be from 0 to {MAX_DOLLARS:,} dollars")
    return str(int((dollars * UNITS_IN_A_DOLLAR).to_integral_value(ROUND_CEILING)))


def limit_units(dollars: Decimal | None) -> str:
    """Of a limit, rounded down; UNLIMITED for None, and for more than anybody can spend."""
    if dollars is None or dollars > MAX_DOLLARS:
        return UNLIMITED
    return str(int((dollars * UNITS_IN_A_DOLLAR).to_integral_value(ROUND_FLOOR)))


def parts_of(dollars: Decimal | None) -> tuple[str, str, str]:
    """A half, four fifths and all of a limit."""
    if dollars is None or dollars > MAX_DOLLARS:
        return UNLIMITED, UNLIMITED, UNLIMITED
    return limit_units(dollars / 2), limit_units(dollars * 4 / 5), limit_units(dollars)


def dollars_of(units: bytes | str) -> Decimal:
    return Decimal(int(units)) / UNITS_IN_A_DOLLAR
