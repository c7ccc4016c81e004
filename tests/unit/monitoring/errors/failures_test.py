"""Failures are described by type and place, without their content."""

import asyncio
import errno
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
from prometheus_client import CollectorRegistry

from infrastructure.concurrency.threads import Threads
from monitoring.errors.failures import describe_failure, failure_fields, failure_lines, without_messages
from monitoring.metrics.batch_histogram import BatchHistogram

DOCUMENT = "The parties agree to pay 7,000,000 euros"


def test_a_failure_is_told_by_type_and_place() -> None:
    error = _caught(lambda: _parse(DOCUMENT))

    assert describe_failure(error).startswith("ValueError at ")
    assert describe_failure(error).endswith(" in _parse")
    assert DOCUMENT not in describe_failure(error)


def test_the_place_is_the_innermost_in_our_own_code() -> None:
    registry = CollectorRegistry()

    def declare() -> BatchHistogram:
        return BatchHistogram("seconds", DOCUMENT, "kind", (1.0,), registry)

    declare()

    told = describe_failure(_caught(declare))

    assert told.startswith("prometheus_client.registry.DuplicateTimeseries at monitoring/metrics/batch_histogram.py:")
    assert told.endswith(" in BatchHistogram.__init__")


def test_the_place_in_a_package_of_jobs_is_the_innermost_of_that_package(tmp_path: Path) -> None:
    file = tmp_path / "jobs.py"
    file.write_text("import json\n\ndef make_report():\n    json.loads('{')\n")
    namespace: dict[str, Any] = {}
    exec(compile(file.read_text(), file, "exec"), namespace)  # a module, without its folder on the path

    told = describe_failure(_caught(lambda: asyncio.run(Threads(1).run(namespace["make_report"]))))

    assert told == f"json.decoder.JSONDecodeError at {file}:4 in make_report"


def test_the_place_in_an_installed_package_of_jobs_is_the_function_that_was_called(tmp_path: Path) -> None:
    file = tmp_path / "lib" / "python3.11" / "site-packages" / "shop" / "jobs.py"
    namespace: dict[str, Any] = {}
    exec(compile("def make_report():\n    1 / 0\n", file, "exec"), namespace)  # nothing is installed for it

    told = describe_failure(_caught(lambda: asyncio.run(Threads(1).run(namespace["make_report"]))))

    assert told == "ZeroDivisionError at shop/jobs.py:2 in make_report"


def test_the_whole_chain_of_causes_is_told_without_a_message() -> None:
    def handle() -> None:
        try:
            _parse(DOCUMENT)
        except ValueError as cause:
            raise RuntimeError(f"can't read {DOCUMENT}") from cause

    fields = failure_fields(_caught(handle))

    assert fields["type"] == "RuntimeError"
    assert str(fields["caused_by"]).startswith("['ValueError at ")
    assert DOCUMENT not in str(fields) + failure_lines(fields)


def test_a_group_of_failures_is_told_one_by_one() -> None:
    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_fail(DOCUMENT))
            tasks.create_task(_fail(DOCUMENT))

    fields = failure_fields(_caught(lambda: asyncio.run(work())))

    assert str(fields["group"]).count("ValueError at ") == 2
    assert DOCUMENT not in str(fields)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, DOCUMENT), "ConnectionRefusedError (errno ECONNREFUSED)"),
        (psycopg.errors.UniqueViolation(DOCUMENT), "psycopg.errors.UniqueViolation (sqlstate 23505)"),
    ],
)
def test_codes_that_can_hold_no_text_are_told(error: Exception, told: str) -> None:
    assert describe_failure(error) == told


def test_what_only_looks_like_a_code_is_not_told() -> None:
    class Odd(Exception):
        sqlstate = DOCUMENT
        status_code = DOCUMENT

    assert DOCUMENT not in describe_failure(Odd(DOCUMENT))


def test_a_failure_in_an_endless_recursion_is_bounded() -> None:
    def again(depth: int) -> int:
        return again(depth + 1) + 1

    assert len(str(failure_fields(_caught(lambda: again(0))))) < 10_000


def test_a_traceback_pasted_into_a_message_keeps_only_its_places() -> None:
    pasted = "".join(traceback.format_exception(_caught(lambda: _parse(DOCUMENT))))

    told = without_messages(f"Task failed:\n{pasted}")

    assert told.startswith("Task failed: [traceback: ")
    assert " in _parse" in told
    assert DOCUMENT not in told


def test_a_message_without_a_traceback_is_left_alone() -> None:
    assert without_messages("ready: ai") == "ready: ai"


def _parse(text: str) -> None:
    raise ValueError(f"can't parse {text}")


async def _fail(text: str) -> None:
    _parse(text)


def _caught(work: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception, match=r".") as caught:
        work()
    return caught.value
