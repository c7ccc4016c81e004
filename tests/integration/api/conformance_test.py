"""Schemathesis sends what the OpenAPI document allows and what it forbids, and compares the answers with the document."""

import os
import subprocess
import sys
from pathlib import Path

from infrastructure.settings import Settings
from tests.integration.serving import World

ENDLESS = "events$"
"""Streams, which have tests of their own."""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
"""All but the one that takes every schema-valid request for acceptable: a deadline in the past is a valid time."""


def test_the_ingress_does_what_its_document_says(api_settings: Settings) -> None:
    with World(api_settings.model_copy(update={"max_body_bytes": 2_000_000})) as world:
        _compare(world, api_settings.bucatini_home)


def _compare(world: World, folder: Path) -> None:
    tenant = world.tenant()
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{world.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {tenant.key}"),
        *("--exclude-path-regex", ENDLESS, "--exclude-method", "DELETE"),
        *("--checks", ",".join(CHECKS), "--phases", "fuzzing", "--max-examples", "10"),
        *("--request-timeout", "20", "--no-color", "--seed", "4711"),
    ]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=environment, cwd=folder)

    assert ran.returncode == 0, ran.stdout[:20_000] + ran.stderr[-2_000:]
