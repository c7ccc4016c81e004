"""The names of months in the languages whose dates are read."""

_NAMES = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec"

MONTHS: dict[str, int] = {
    "jänner": 1,
    "sept": 9,
    "okt": 10,
    "dez": 12,
    **{name: number for names in (*_NAMES.values(), _SHORT) for number, name in enumerate(names.split(), start=1)},
}
"""From a name, folded, to its number."""
