"""What Word, PowerPoint and Excel files have in common: https://ecma-international.org/publications-and-standards/standards/ecma-376/."""

import posixpath
from functools import lru_cache
from typing import Any

from infrastructure.extraction.package import Package
from infrastructure.extraction.text_builder import one_line
from infrastructure.extraction.xml_parts import tree_if_there

RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
TITLE = "{http://purl.org/dc/elements/1.1/}title"


def local_name(element: Any) -> str:
    """A tag without its namespace: the strict and the transitional variant of these formats differ in nothing else."""
    return _without_namespace(element.tag)


@lru_cache(1_000)
def _without_namespace(tag: str) -> str:
    return tag.rpartition("}")[2]


def core_title(package: Package) -> str | None:
    """The title in the document's properties."""
    properties = tree_if_there(package, "docProps/core.xml")
    title = None if properties is None else properties.findtext(TITLE)
    return one_line(title) or None if title else None


def main_part(package: Package, usual: str) -> str:
    """The part that holds the document itself."""
    return next((target for kind, _, target in relations(package, "") if kind == "officeDocument"), usual)


def relations(package: Package, part: str) -> list[tuple[str, str, str]]:
    """(kind, id, target's name) of each part that this part refers to; nothing outside of the package."""
    folder, name = posixpath.split(part)
    root = tree_if_there(package, posixpath.join(folder, "_rels", f"{name}.rels"))
    if root is None:
        return []
    return [
        (
            one.get("Type", "").rpartition("/")[2],
            one.get("Id", ""),
            posixpath.normpath(posixpath.join("/", folder, one.get("Target", ""))).lstrip("/"),
        )
        for one in root.iter(RELATION)
        if one.get("TargetMode") != "External"
    ]
