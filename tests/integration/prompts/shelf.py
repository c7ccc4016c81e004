"""A tenant's prompts, through the ingress."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

FIRM = {"firm": "Hale", "client": "Marlow"}
LETTER: dict[str, Any] = {
    "system": "You write letters for {{ firm }}.",
    "sections": [{"key": "summary", "heading": "Summary", "instruction": "Say what {{ client }} should know first."}],
    "variables": {"firm": {}, "client": {}},
}


class Prompts:
    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def create(self, name: str = "letter", **content: Any) -> dict[str, Any]:
        return self._made(self.http.post("/api/prompts", json={"name": name, "content": {**LETTER, **content}}))

    def add(self, name: str = "letter", industry: str | None = None, **content: Any) -> dict[str, Any]:
        body = {"content": content if industry else {**LETTER, **content}, "industry": industry}
        return self._made(self.http.post(f"/api/prompts/{name}/versions", json=body))

    def move(self, *versions: int, label: str = "production", name: str = "letter") -> httpx.Response:
        return self.split({version: 100 // len(versions) for version in versions}, label=label, name=name)

    def split(self, shares: Mapping[int, int], label: str = "production", name: str = "letter") -> httpx.Response:
        variants = [{"version": version, "percent": percent} for version, percent in shares.items()]
        return self.http.put(f"/api/prompts/{name}/labels/{label}", json={"variants": variants})

    def roll_back(
        self, name: str = "letter", label: str = "production", *, if_match: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = {} if if_match is None else {"If-Match": if_match}
        return self.http.post(f"/api/prompts/{name}/labels/{label}/rollback", json=body, headers=headers)

    def render(self, name: str = "letter", variables: Mapping[str, Any] = FIRM, **ref: Any) -> httpx.Response:
        return self.http.post(f"/api/prompts/{name}/render", json={"variables": dict(variables), **ref})

    def version_for(self, name: str = "letter", variables: Mapping[str, Any] = FIRM, **ref: Any) -> int:
        answer = self.render(name, variables, **ref)
        assert answer.status_code == 200, answer.text
        number: int = answer.json()["version"]
        return number

    @staticmethod
    def _made(answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def errors(answer: httpx.Response) -> list[str]:
    """The pointers."""
    return [error["pointer"] for error in answer.json()["errors"]]


def details(answer: httpx.Response) -> Sequence[str]:
    return [error["detail"] for error in answer.json()["errors"]]
