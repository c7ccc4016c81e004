"""No template costs more than a document may, whatever is in it, and none is refused that an honest one looks like."""

import pytest

from infrastructure.liquid.environment import BoundedLiquid
from infrastructure.liquid.template import TemplateUnusable

MANY = [{"name": f"n{number}"} for number in range(2_400)]
LONG = "x" * 200_000


def _filled(source: str, **values: object) -> str:
    return BoundedLiquid({}).read(source).fill_text(values)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for a in many %}{% for b in many %}{{ b.name }}{% endfor %}{% endfor %}", "loop iteration limit"),
        ("{% for a in many %}" + "{% if a %}{% endif %}" * 2_400 + "{% endfor %}", "more than 200,000 steps"),
        ("{% for a in many %}{{ long | upcase | size }}{% endfor %}", "filters look at more than 20,000,000"),
        ("{% for a in many %}{{ many | join: ',' | size }}{% endfor %}", "filters look at more than 20,000,000"),
        ("{{ twice | uniq | size }}", "filters look at more than 20,000,000"),
        ("{{ long }}" * 20, "output stream limit"),
        ("{% assign a = long | append: long | append: long %}{{ a | size }}", "append made more than"),
        ("{% if a %}" * 40 + "{% endif %}" * 40, "block nesting limit"),
        ("{{ a" + "[a" * 5_000 + "]" * 5_000 + " }}", "liquid"),
        ("{% include 'x' %}", "unexpected tag 'include'"),
        ("{% render 'x' %}", "unexpected tag 'render'"),
        ("{{ long | replace: 'x', long }}", "unknown filter 'replace'"),
        ("{% if false %}{{ long | base64_encode }}{% endif %}", "unknown filter 'base64_encode'"),
        ("{% for i in (1..1000000000) %}{% endfor %}", "ranges can't be used"),
    ],
)
def test_what_would_cost_too_much_is_refused_before_it_does(source: str, said: str) -> None:
    with pytest.raises(TemplateUnusable, match=said):
        _filled(source, many=MANY, twice=MANY * 2, long=LONG)


def test_the_limits_are_a_documents_and_not_a_templates() -> None:
    liquid = BoundedLiquid({})
    half = liquid.read("{% for a in many %}" + "{% if a %}{% endif %}" * 15 + "{% endfor %}")

    half.fill_text({"many": MANY})
    with pytest.raises(TemplateUnusable, match="steps"):
        half.fill_text({"many": MANY})


def test_an_honest_report_of_a_thousand_lines_is_filled() -> None:
    lines = [{"name": f"Item {number}", "fee": number} for number in range(1_000)]
    source = "{% for one in lines %}- {{ one.name | upcase }}: {{ one.fee | money: 'EUR' }}\n{% endfor %}"

    filled = _filled(source, lines=lines, language="en")

    assert filled.splitlines()[999] == "- ITEM 999: €999.00"


def test_a_value_is_text_whatever_it_looks_like() -> None:
    assert _filled("{{ a }}", a="{{ b }}{% include 'x' %}{% for", b="secret") == "{{ b }}{% include 'x' %}{% for"
