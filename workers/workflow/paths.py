"""Reads and writes JSON by reference path, and fills templates. Never mutates its arguments."""

from pydantic import JsonValue
from pydantic_core import to_json

from schemas.workflow import Step, path_steps

REFERENCE = ".$"
"""The suffix of a field name whose value is a path."""


class PathNotFound(Exception):
    """The data has nothing at this path. Check the path against the output of earlier steps."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the data has nothing at {path}")
        self.path = path


class TooLarge(Exception):
    """A filled template would exceed its size limit. Refer to less data."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"its Parameters would make more than {max_bytes:,} bytes")


def look_up(data: JsonValue, path: str) -> JsonValue:
    """The value at the path. Raises PathNotFound."""
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
    """The data with the value at the path, creating missing objects; the data itself when the path is None.

    Raises PathNotFound when a value on the way isn't an object.
    """
    return data if path is None else _put(data, path_steps(path), value, path)


def fill(template: JsonValue, data: JsonValue, *, max_bytes: int) -> JsonValue:
    """The template with every field that ends in `.$` replaced by the value at its path. Raises PathNotFound.

    Raises TooLarge when the JSON would have more than `max_bytes`. The size is counted before anything is built: a template
    of 400 KB may refer ten thousand times to the same 200 KB, which is gigabytes when written out.
    """
    found: dict[str, JsonValue] = {}
    _count(template, data, found, max_bytes)
    return _filled(template, found)


def _count(template: JsonValue, data: JsonValue, found: dict[str, JsonValue], max_bytes: int) -> None:
    """Looks up every path once, and raises TooLarge as soon as the total exceeds the limit."""
    sizes: dict[str, int] = {}
    left, unread = max_bytes, [template]
    while unread:
        part = unread.pop()
        if isinstance(part, dict):
            for name, value in part.items():
                left -= len(to_json(name)) + len(":,")
                if not name.endswith(REFERENCE):
                    unread.append(value)
                    continue
                path = str(value)
                if path not in sizes:
                    found[path] = look_up(data, path)
                    sizes[path] = len(to_json(found[path]))
                left += len(REFERENCE) - sizes[path]
                if left < 0:
                    raise TooLarge(max_bytes)
        elif isinstance(part, list):
            left -= len(part)
            unread.extend(part)
        else:
            left -= len(to_json(part))
        if left < 0:
            raise TooLarge(max_bytes)


def _filled(template: JsonValue, found: dict[str, JsonValue]) -> JsonValue:
    if isinstance(template, dict):
        return dict(_filled_field(name, value, found) for name, value in template.items())
    if isinstance(template, list):
        return [_filled(value, found) for value in template]
    return template


def _filled_field(name: str, value: JsonValue, found: dict[str, JsonValue]) -> tuple[str, JsonValue]:
    if name.endswith(REFERENCE):
        return name.removesuffix(REFERENCE), found[str(value)]
    return name, _filled(value, found)


def _put(data: JsonValue, steps: tuple[Step, ...], value: JsonValue, path: str) -> JsonValue:
    if not steps:
        return value
    name, *rest = steps
    if not isinstance(data, dict) or not isinstance(name, str):
        raise PathNotFound(path)
    return {**data, name: _put(data.get(name, {}), tuple(rest), value, path)}
