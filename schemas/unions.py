"""Unions told apart by one field, whose errors point at what the caller wrote."""

from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError


def _validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        lines = [
            InitErrorDetails(type=PydanticCustomError(line["type"], line["msg"]), loc=line["loc"][1:], input=None)
            for line in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ValidationError.from_exception_data(error.title, lines) from None


UNTAGGED = WrapValidator(_validate)
"""Takes the union's tag out of an error's location: pydantic puts it there, and no JSON Pointer into the caller's own
document has it."""
