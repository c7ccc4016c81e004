"""Reads and writes JSON by reference path, and fills templates. Never changes what it is given."""

from pydantic import JsonValue

from schemas.workflow import Step, path_steps


class PathNotFound(Exception):
    """The data has nothing at this path. Check the path against what the steps before put there."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the data has nothing at {path}")
        self.path = path


def look_up(data: JsonValue, path: str) -> JsonValue:
    """What is at the path, or PathNotFound."""
    for step in path_steps(path):
        match data, step:
            case dict(), str() if step in data:
                data = data[step]
            case list(), int() if step < len(data):
                data = data[step]
            case _:
                raise PathNotFound(path)
    return data


def put(data: JsonValue, path: str | None, value: JsonValue) -> JsonValue:
    """The data with the value at the path, missing objects made on the way; the data itself when there is no path.

    PathNotFound when something on the way is no object.
    """
    return data if path is None else _put(data, path_steps(path), value, path)


def fill(template: JsonValue, data: JsonValue) -> JsonValue:
    """The template with every name that ends in `.$` replaced by what is at its path, or PathNotFound."""
    if isinstance(template, dict):
        return dict(_filled(name, value, data) for name, value in template.items())
    if isinstance(template, list):
        return [fill(value, data) for value in template]
    return template


def _filled(name: str, value: JsonValue, data: JsonValue) -> tuple[str, JsonValue]:
    if name.endswith(".$"):
        return name.removesuffix(".$"), look_up(data, str(value))
    return name, fill(value, data)


def _put(data: JsonValue, steps: tuple[Step, ...], value: JsonValue, path: str) -> JsonValue:
    if not steps:
        return value
    name, *rest = steps
    if not isinstance(data, dict) or not isinstance(name, str):
        raise PathNotFound(path)
    return {**data, name: _put(data.get(name, {}), tuple(rest), value, path)}
