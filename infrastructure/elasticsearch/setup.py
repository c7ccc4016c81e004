"""Templates on the server: what is there, what is missing or differs, and putting it right. Safe to repeat."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from infrastructure.elasticsearch.errors import translated
from infrastructure.elasticsearch.names import KIND, checked_app

if TYPE_CHECKING:
    from elasticsearch import AsyncElasticsearch

TEMPLATE_VERSION = 1
"""Raise it with any change below `templates/`: a release never puts its own over those of a newer one."""
COMPONENTS: Mapping[str, tuple[str, ...]] = {"settings": ("settings",), "mappings": ("mappings", "analysis")}
"""The component templates and the files they are made of. The server checks each by itself, so the mappings bring the
analyzers that they name."""

COMPARED = ("index_patterns", "priority", "allow_auto_create", "composed_of", "version", "_meta")


class Difference(StrEnum):
    MISSING = "missing"
    DIFFERENT = "different"
    NONE = "none"
    NEWER = "newer"
    """Of a newer release: left as it is."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as this release has it."""

    name: str
    is_component: bool
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A template beside what the server has of that name."""

    template: Template
    difference: Difference


def templates(app: str) -> tuple[Template, ...]:
    """In the order in which they are put. SettingsInvalid for a prefix that can't be one."""
    checked_app(app)
    components = (Template(f"{app}-{KIND}-{name}", True, _component(parts)) for name, parts in COMPONENTS.items())
    index = json.loads(_file("index").replace("{app}", app))
    return (*components, Template(f"{app}-{KIND}", False, {**index, "version": TEMPLATE_VERSION}))


async def set_up(client: "AsyncElasticsearch", app: str) -> tuple[Comparison, ...]:
    """Puts what is missing or differs, and returns what was so before. Unavailable when the server can't be used."""
    async with translated():
        found = await compare(client, app)
        for one in found:
            if one.difference in (Difference.MISSING, Difference.DIFFERENT):
                await _put(client, one.template)
    return found


async def compare(client: "AsyncElasticsearch", app: str) -> tuple[Comparison, ...]:
    """Changes nothing, and raises the client's own errors."""
    return tuple([Comparison(one, difference(one.body, await _stored(client, one))) for one in templates(app)])


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> Difference:
    """Between a template of ours and the server's, which writes settings in its own way."""
    if theirs is None:
        return Difference.MISSING
    if theirs.get("version", 0) > ours["version"]:
        return Difference.NEWER
    return Difference.NONE if _normal(ours) == _normal(theirs) else Difference.DIFFERENT


def _component(parts: tuple[str, ...]) -> dict[str, Any]:
    bodies = [json.loads(_file(part)) for part in parts]
    template = {name: value for body in bodies for name, value in body["template"].items()}
    return {"template": template, "_meta": bodies[0]["_meta"], "version": TEMPLATE_VERSION}


def _file(name: str) -> str:
    return (files("infrastructure.elasticsearch") / "templates" / f"{name}.json").read_text(encoding="utf-8")


async def _stored(client: "AsyncElasticsearch", template: Template) -> Mapping[str, Any] | None:
    """None where the server has none of that name."""
    if template.is_component:
        quiet = client.options(ignore_status=404).cluster
        answer = (await quiet.get_component_template(name=template.name)).body
        found = answer.get("component_templates") or ()
        return found[0]["component_template"] if found else None
    answer = (await client.options(ignore_status=404).indices.get_index_template(name=template.name)).body
    found = answer.get("index_templates") or ()
    return found[0]["index_template"] if found else None


async def _put(client: "AsyncElasticsearch", template: Template) -> None:
    if template.is_component:
        await client.cluster.put_component_template(name=template.name, **_arguments(template))
    else:
        await client.indices.put_index_template(name=template.name, **_arguments(template))


def _arguments(template: Template) -> dict[str, Any]:
    return {name.lstrip("_"): value for name, value in template.body.items()}


def _normal(body: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the server keeps them: flat, all text. Parts that are empty aren't there."""
    template = dict(body.get("template", {}))
    settings = dict(_flat("", template.pop("settings", {})))
    kept = {name: body[name] for name in COMPARED if body.get(name) is not None and body[name] != []}
    return {**kept, **template, "settings": settings}


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        yield path, [str(one) for one in value]
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
