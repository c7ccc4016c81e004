"""`bucatini simulate providers`, as a person starts and scripts it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

SIMULATE = [sys.executable, "-P", "-m", "producers.cli", "simulate"]
BUCATINI = [*SIMULATE, "providers"]
QUESTION = {"model": "gpt-6-luna", "input": "Say something."}
KEY = {"authorization": "Bearer any"}


@contextmanager
def _simulator() -> Iterator[httpx.Client]:
    process = subprocess.Popen([*BUCATINI, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("ready: ").strip()
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def simulator() -> Iterator[httpx.Client]:
    with _simulator() as client:
        yield client


def test_it_answers_without_any_setup_and_shows_what_that_cost(simulator: httpx.Client) -> None:
    simulator.delete("/control").raise_for_status()
    answer = simulator.post("/v1/responses", json=QUESTION, headers=KEY).raise_for_status().json()

    assert answer["output"][0]["content"][0]["text"]
    ledger = simulator.get("/control/ledger").json()
    assert ledger["attempts"] == 1
    assert float(ledger["dollars"]) > 0


def test_a_scripted_fault_is_met_as_often_as_said(simulator: httpx.Client) -> None:
    simulator.post("/control/faults", json={"kind": "overload", "provider": "openai", "times": 2}).raise_for_status()
    statuses = [simulator.post("/v1/responses", json=QUESTION, headers=KEY).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]


def test_limits_are_kept_and_say_when_to_come_back(simulator: httpx.Client) -> None:
    simulator.put("/control/limits", json={"requests": 2}).raise_for_status()
    answers = [simulator.post("/v1/responses", json=QUESTION, headers=KEY) for _ in range(3)]
    simulator.delete("/control").raise_for_status()

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[1].headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < float(answers[2].headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/control/faults", {"kind": "earthquake"}, "kind: Input should be"),
        ("/control/faults", {"kind": "hang", "times": 0}, "times: Input should be greater than or equal to 1"),
        ("/control/faults", {"kind": "hang", "much": 1}, "much: Extra inputs are not permitted"),
    ],
)
def test_a_script_that_cant_be_used_says_which_part(
    simulator: httpx.Client, path: str, body: dict[str, object], said: str
) -> None:
    refused = simulator.post(path, json=body)

    assert refused.status_code == 422
    assert said in refused.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "gpt-2", "input": "x"}, 404, "does not exist"),
        ({**QUESTION, "temperature": 1}, 400, "Unsupported parameter: 'temperature'"),
        ({"model": "gpt-6-luna"}, 400, "input: must be a list of messages"),
        ({**QUESTION, "max_output_tokens": 0}, 400, "max_output_tokens: must be a positive number"),
    ],
)
def test_what_the_provider_would_refuse_is_refused(
    simulator: httpx.Client, body: dict[str, object], status: int, said: str
) -> None:
    refused = simulator.post("/v1/responses", json=body, headers=KEY)

    assert refused.status_code == status
    assert said in refused.json()["error"]["message"]


def test_without_a_key_nobody_is_served(simulator: httpx.Client) -> None:
    assert simulator.post("/v1/responses", json=QUESTION).status_code == 401
    assert simulator.get("/v1/models").status_code == 401


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = subprocess.run([*BUCATINI, "--port", port], check=False, capture_output=True, text=True, timeout=60)

    assert failed.returncode == 1
    assert f"127.0.0.1:{port} can't be listened on" in failed.stderr
    assert "Traceback" not in failed.stderr


def simulate(*typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SIMULATE, *typed], capture_output=True, text=True, timeout=60, check=False)


def test_faults_pace_and_bill_have_commands(simulator: httpx.Client) -> None:
    simulator.delete("/control").raise_for_status()
    at = ("--address", str(simulator.base_url))
    assert simulate("fault", "overload", "--provider", "openai", "--times", "2", *at).returncode == 0
    assert simulate("pace", "--output-tokens", "7", *at).returncode == 0
    answers = [simulator.post("/v1/responses", json=QUESTION, headers=KEY) for _ in range(3)]
    bill = simulate("bill", "-o", "jsonl", *at)

    assert [one.status_code for one in answers] == [503, 503, 200]
    (series,) = (json.loads(line) for line in bill.stdout.splitlines())
    assert (series["attempts"], series["charged"], series["output_tokens"]) == (3, 1, 7)


def test_where_nothing_is_simulated_the_command_says_so() -> None:
    asked = simulate("bill", "--address", "http://127.0.0.1:9")

    assert (asked.returncode, asked.stdout) == (2, "")
    assert "bucatini simulate providers" in asked.stderr
