"""The deployment files hold what they promise: limits, health checks, no open port and no secret."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own, and this is its only reader

from infrastructure.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if str(service["image"]).startswith("bucatini:")}
LASTING = {name: service for name, service in SERVICES.items() if name != "migrate"}
COMMANDS = {
    "migrate": ["migrate"],
    "api": ["api"],
    "dispatcher": ["dispatcher"],
    "worker-ai": ["worker", "ai"],
    "worker-search": ["worker", "search"],
    "worker-workflow": ["worker", "workflow"],
    "worker-keys": ["worker", "keys"],
    "worker-webhooks": ["worker", "webhooks"],
    "flower": ["flower"],
}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
REQUIRED = re.compile(r"\$\{([A-Z_]+):\?")
OPTIONAL = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|AUTH|_URL$")

every_service = pytest.mark.parametrize("name", SERVICES)
every_lasting_service = pytest.mark.parametrize("name", LASTING)
every_process_of_ours = pytest.mark.parametrize("name", COMMANDS)


def test_each_process_of_the_architecture_runs() -> None:
    assert {name: service["command"] for name, service in OURS.items()} == COMMANDS


@every_service
def test_nothing_can_take_the_whole_machine(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]

    assert float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert limits["pids"] <= 2048
    assert SERVICES[name]["logging"]["options"]["max-size"]


@every_lasting_service
def test_what_hangs_is_noticed_and_what_ends_comes_back(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "start_period", "retries"} <= check.keys()
    assert SERVICES[name]["restart"] == "unless-stopped"


@every_process_of_ours
def test_a_process_of_ours_has_no_right_it_does_not_need(name: str) -> None:
    process = OURS[name]

    assert process["read_only"] is True
    assert process["cap_drop"] == ["ALL"]
    assert process["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in process


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"migrate", "flower"}))
def test_a_process_starts_when_the_tables_and_its_servers_are_there(name: str) -> None:
    waits_for = {other: how["condition"] for other, how in OURS[name]["depends_on"].items()}

    assert waits_for["migrate"] == "service_completed_successfully"
    assert waits_for["postgres"] == waits_for["redis"] == "service_healthy"


@every_service
def test_every_port_is_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", ["postgres", "redis", "elasticsearch"])
def test_the_databases_can_only_be_reached_by_our_processes(name: str) -> None:
    assert SERVICES[name]["networks"] == ["data"]
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert {other for other, service in SERVICES.items() if "data" in service["networks"]} == {
        *OURS,
        *("postgres", "redis", "elasticsearch"),
    }


@every_service
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable):
            optional = OPTIONAL.fullmatch(str(value))
            assert REQUIRED.search(str(value)) or (optional and not optional[2]), (
                f"{variable} must be ${{VARIABLE:?}} or ${{VARIABLE:-}}, so that nobody runs with a default"
            )


@every_process_of_ours
def test_a_process_is_given_only_settings_that_exist(name: str) -> None:
    known = {field.upper() for field in Settings.model_fields}

    assert OURS[name]["environment"].keys() <= known


def test_a_process_gets_no_secret_that_it_does_not_use() -> None:
    assert "DATABASE_URL" not in OURS["flower"]["environment"]
    assert "REDIS_URL" not in OURS["migrate"]["environment"]
    assert {name for name, process in OURS.items() if "ELASTICSEARCH_URL" in process["environment"]} == {
        "api",
        "worker-search",
        "worker-keys",
    }
    assert {name for name, process in OURS.items() if "OIDC_ISSUER" in process["environment"]} == {"api"}
    assert {name for name, process in OURS.items() if "OPENAI_API_KEY" in process["environment"]} == {"worker-ai"}
    assert {name for name, process in OURS.items() if "OBJECT_STORE_SECRET_KEY" not in process["environment"]} == {
        "migrate",
        "flower",
    }


@every_process_of_ours
def test_what_isnt_set_is_as_the_settings_have_it(name: str) -> None:
    variables = {variable: OPTIONAL.fullmatch(str(value)) for variable, value in OURS[name]["environment"].items()}
    given = {variable: found[2] for variable, found in variables.items() if found and found[2]}

    as_given = Settings.model_validate({variable.lower(): value for variable, value in given.items()})
    assert as_given == Settings()


@every_service
def test_every_image_is_pinned_to_a_version(name: str) -> None:
    image = SERVICES[name]["image"]

    assert name in OURS or re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", image)


def test_redis_refuses_when_it_is_full_and_keeps_what_it_has() -> None:
    configuration = COMPOSE["configs"]["redis"]["content"]

    assert "maxmemory-policy noeviction" in configuration
    assert "appendonly yes" in configuration


def test_the_example_names_every_variable_that_must_be_set_and_holds_no_value() -> None:
    required = set(REQUIRED.findall((ROOT / "docker-compose.yml").read_text()))
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    assert given == dict.fromkeys(required, "")


def test_the_example_names_every_variable_that_may_be_set_with_its_default() -> None:
    optional = dict(OPTIONAL.findall((ROOT / "docker-compose.yml").read_text()))
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#[A-Z_]+=", line))

    assert named == optional


def test_a_worker_has_longer_to_end_than_its_jobs_have() -> None:
    for name in (name for name in COMMANDS if name.startswith("worker-")):
        grace_seconds = float(OURS[name]["environment"]["GRACE_SECONDS"])
        assert float(OURS[name]["stop_grace_period"].removesuffix("s")) >= grace_seconds + 15


def test_the_image_runs_as_nobody_in_particular_and_installs_only_what_the_lock_names() -> None:
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]

    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["bucatini"\]$', final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert re.search(r"^ARG PYTHON=3\.13\.\d+-slim-[a-z]+$", DOCKERFILE, re.MULTILINE)
    installs = re.findall(r"pip install .*", DOCKERFILE)
    assert all("--require-hashes" in install or "--no-deps --no-build-isolation" in install for install in installs)


def test_only_what_the_image_is_made_of_gets_near_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    packages = {"api", "bucatini", "events", "infrastructure", "kinds", "monitoring", "producers", "schemas", "workers"}
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {
        *packages,
        *("pyproject.toml", "README.md", "requirements.lock"),
    }


def test_compose_itself_reads_the_file() -> None:
    required = set(REQUIRED.findall((ROOT / "docker-compose.yml").read_text()))
    docker = _docker_with_compose()
    command = [docker, "compose", "--env-file", os.devnull, "config", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name not in required}
    filled = environment | dict.fromkeys(required, "x:y")

    ended = subprocess.run(command, cwd=ROOT, env=filled, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")

    for name in required:
        missing = {variable: value for variable, value in filled.items() if variable != name}
        ended = subprocess.run(command, cwd=ROOT, env=missing, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode != 0
        assert name in ended.stderr


def _docker_with_compose() -> str:
    docker = shutil.which("docker")
    asked = docker and subprocess.run([docker, "compose", "version"], capture_output=True, timeout=60, check=False)
    if not docker or not asked or asked.returncode:
        pytest.skip("`docker compose` isn't here: install Docker's compose plugin (the engine itself isn't needed)")
    return docker
