"""The prompts that come with Bucatini, as files: `templates/NAME/VERSION.toml`, or `VERSION.INDUSTRY.toml` for an overlay.

A version that was released never changes, as a tenant's own doesn't: jobs are pinned to it. A better one is a new file.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from infrastructure.prompts.digests import digest_of
from schemas.ai.prompts import PRODUCTION, Industry, PromptContent, PromptVersion

SHIPPED_BY: Final = "bucatini"
_FILE = re.compile(r"(\d+)(?:\.([a-z]+))?\.toml")


@cache
def shipped() -> Mapping[str, Mapping[int, PromptVersion]]:
    """Every version of each, by name and number."""
    folders = [one for one in (files(__package__) / "templates").iterdir() if one.is_dir()]
    found = {folder.name: _versions_in(folder.name) for folder in sorted(folders, key=lambda one: one.name)}
    return MappingProxyType({name: MappingProxyType(versions) for name, versions in found.items() if versions})


@cache
def descriptions() -> Mapping[str, str]:
    return {name: _document(name, "1.toml")["description"] for name in shipped()}


def shipped_version(name: str, version: int) -> PromptVersion | None:
    return shipped().get(name, {}).get(version)


def shipped_for(name: str, label: str, industry: Industry | None) -> PromptVersion | None:
    """That to which the label points, as it came: `production` to the newest of the industry. None for other labels, and for
    an industry without an overlay."""
    of_industry = [one for one in shipped().get(name, {}).values() if one.industry == industry]
    return max(of_industry, key=lambda one: one.version, default=None) if label == PRODUCTION else None


def _versions_in(name: str) -> dict[int, PromptVersion]:
    folder = files(__package__) / "templates" / name
    matches = [match for one in folder.iterdir() if (match := _FILE.fullmatch(one.name))]
    versions = [_version(name, int(match[1]), match[2], match[0]) for match in matches]
    return {one.version: one for one in sorted(versions, key=lambda one: one.version)}


def _version(name: str, version: int, industry: str | None, file: str) -> PromptVersion:
    said = _document(name, file)
    content = PromptContent.model_validate(said["content"])
    base = said.get("base")
    return PromptVersion(
        name=name,
        version=version,
        industry=None if industry is None else Industry(industry),
        base=base,
        content=content,
        digest=digest_of(content, base).hex(),
        note=said.get("note", ""),
        created_at=None,
        created_by=SHIPPED_BY,
    )


def _document(name: str, file: str) -> dict[str, Any]:
    text = (files(__package__) / "templates" / name / file).read_text(encoding="utf-8")
    return tomllib.loads(text)
