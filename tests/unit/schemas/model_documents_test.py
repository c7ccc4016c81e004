"""What the documents say of a model's fields: the text below each."""

import subprocess
import sys
from typing import Any

from schemas.model import Model


class Person(Model):
    name: str
    """As it stands
    in the passport."""
    age: int
    title: str = ""
    """Shown before the name."""


class Employee(Person):
    age: int
    """In years."""
    title: str = "Dr"


def _descriptions(schema: dict[str, Any]) -> dict[str, str]:
    return {name: field["description"] for name, field in schema["properties"].items() if "description" in field}


def test_a_field_is_described_by_the_text_below_it() -> None:
    assert _descriptions(Person.model_json_schema()) == {
        "name": "As it stands\nin the passport.",
        "title": "Shown before the name.",
    }


def test_an_inherited_field_keeps_its_text_and_one_declared_anew_has_its_own() -> None:
    assert _descriptions(Employee.model_json_schema()) == {"name": "As it stands\nin the passport.", "age": "In years."}


def test_a_field_of_a_class_in_a_function_is_described_too() -> None:
    class Local(Model):
        name: str
        """Known here."""

    assert _descriptions(Local.model_json_schema()) == {"name": "Known here."}


def test_a_model_whose_source_is_gone_has_fields_without_descriptions() -> None:
    script = "from schemas.model import Model\nclass Gone(Model):\n    name: str\n    '''Unknown.'''\n"
    script += "print(Gone.model_json_schema()['properties'])"

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout == "{'name': {'title': 'Name', 'type': 'string'}}\n"
