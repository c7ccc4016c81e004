"""The prompts that Bucatini comes with can be used as they are, and stay what they are."""

from typing import Any

import pytest

from infrastructure.prompts.checks import flaws_in_content
from infrastructure.prompts.overlays import whole
from infrastructure.prompts.rendering import rendered
from infrastructure.prompts.shipped import descriptions, shipped
from schemas.ai.generation import TemplateName
from schemas.ai.prompts import Industry, PromptVersion
from schemas.ai.variable_types import VariableType

DIGESTS = {
    "engagement_letter 1": "c83ee0fc04db43e0f3cf51a94f81b81216c1d4c48dedb3182fd6ca389264c0dc",
    "engagement_letter 2": "4832654fd022c7b0bea60ed51a170117f06f4c29389aa8641e3445567cbbfaed",
    "engagement_letter 3": "df88c974df0c59c43d438f240412597a7bc1cafdd055bf71b24040d162fddfca",
    "engagement_letter 4": "edfe1f6fd080f354919e69c66b16f4b491d939d3123991316b3d984fc3ff3f07",
    "mutual_nda 1": "ba27ec174109e384c2370b5793a0f49c28b46e2c55381d6c997a58dd73c8c5e0",
    "mutual_nda 2": "ef96655cafa5bf9441e4d31958d482b2d49bdd5d139a0ec5febc316e1a01e4aa",
    "mutual_nda 3": "984d7bb41e76caa44b371f4fcafa241a60d0ac02dd7a842a8956bc76a04bce50",
    "mutual_nda 4": "6629489e05b9ab5d953b807144bf4a8e724d0db34b65af095d27e9176e1d46b6",
    "service_proposal 1": "5b1794247d51b6de9bb94b2ba61f77754d210a4690c681e044604642d14fd9f0",
    "service_proposal 2": "25eb84aa762b29834e00ecedfc0b6c72366d87759d071a4637131bc3dafb785a",
    "service_proposal 3": "b767bb57f4c6ac2ce581ed4ea750d9e7e6f164792fff2a47200c8e2abbab9bec",
    "service_proposal 4": "0cffee799715993fb2d372dd38010b36ccb5c4f0889826e9f90f43a919c16038",
    "status_report 1": "57d94a2439c8ded505c27ede62d98de8132a9d73f6e58c33c9b919e4b092f7c0",
    "status_report 2": "23e0b2479e0b5197b5ae27589d2f8900251f5e2caf96def3cb7b22a73958be16",
    "status_report 3": "534ec6fc0b3d1b1b2ad3810306605b32c03163e33ff20a558e60324068bbacfd",
    "status_report 4": "273e3a4c308b1251c535200dd5227cc3f3d8949889a6330c8a32a5b5adc5753d",
}
"""Of each version's content, written here when it is released and never changed: jobs are pinned to it."""
VERSIONS = [version for versions in shipped().values() for version in versions.values()]
SAMPLES: dict[VariableType, Any] = {
    VariableType.TEXT: "Marlow {{ Ltd }}",
    VariableType.NUMBER: "1250.00",
    VariableType.BOOLEAN: True,
    VariableType.DATE: "2026-03-14",
    VariableType.LIST: ["first", "second"],
    VariableType.OBJECT: {"name": "Marlow"},
}

NAMED: dict[str, Any] = {"currency": "EUR", "phases": [{"name": "Survey", "outcome": "a list", "weeks": 2}]}


def _named(version: PromptVersion) -> str:
    return f"{version.name} {version.version}"


def test_each_template_has_a_base_and_an_overlay_for_each_industry() -> None:
    assert set(shipped()) == {name.value for name in TemplateName}
    for name, versions in shipped().items():
        assert [one.industry for one in versions.values()] == [None, *Industry]
        assert descriptions()[name]


def test_what_was_released_stays_as_it_is() -> None:
    assert {_named(version): version.digest for version in VERSIONS} == DIGESTS


@pytest.mark.parametrize("version", VERSIONS, ids=_named)
def test_each_declares_what_it_uses_and_is_filled_with_all_of_it_or_the_least(version: PromptVersion) -> None:
    base = None if version.base is None else shipped()[version.name][version.base].content
    content = version.content if base is None else whole(base, version.content)

    assert flaws_in_content(version.content, base) == []
    everything = {name: SAMPLES[one.type] for name, one in content.variables.items()} | NAMED
    least = {name: SAMPLES[one.type] for name, one in content.variables.items() if one.required}
    for values in ({name: one for name, one in everything.items() if name in content.variables}, least):
        for language in ("en", "de"):
            filled = rendered(version, content, {**values, "language": language}).prompt
            assert len(filled.sections) >= 5
            assert all(section.heading and section.instruction for section in filled.sections)
