"""Lines as an operator reads them, from structlog and from the standard library alike."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from monitoring.logs.context import LogContext, bound, current
from monitoring.logs.logging import LogSettingInvalid, formatter
from monitoring.tracing.context import TraceContext
from tests.waiting import GUARD_SECONDS

ROOT = Path(__file__).parents[4]
CANARY = "cANARY77aBcDeFgH"
JOB = UUID("0198c5c4-0000-7000-8000-000000000001")
TENANT = UUID("0198c5c4-0000-7000-8000-000000000002")
TRACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")

ABANDONED_TASK = f"""
async def fail():
    raise ValueError('{CANARY}')
loop = asyncio.new_event_loop()
loop.run_until_complete(asyncio.wait([loop.create_task(fail())]))
loop.close()
"""

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A library's own logger, kept from the test runner's."""
    logger = logging.getLogger("some.library")
    logger.propagate = False
    yield logger
    logger.handlers.clear()
    logger.propagate = True


@pytest.fixture
def lines(library: logging.Logger) -> Lines:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter("json", process="worker ai"))
    library.addHandler(handler)
    library.setLevel(logging.DEBUG)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_a_library_has_our_format(library: logging.Logger, lines: Lines) -> None:
    library.warning("%d of %s", 3, "four")

    [line] = lines()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "event": "3 of four", "logger": "some.library", "process": "worker ai"}


def test_every_line_of_a_job_names_the_job_its_tenant_and_its_trace(library: logging.Logger, lines: Lines) -> None:
    with bound(LogContext(job_id=JOB, tenant_id=TENANT, kind="ai.process_document", attempt=2, trace=TRACE)):
        library.info("inside")
    library.info("outside")

    inside, outside = lines()
    assert inside["job_id"] == str(JOB)
    assert inside["tenant_id"] == str(TENANT)
    assert inside["kind"] == "ai.process_document"
    assert inside["attempt"] == 2
    assert inside["trace_id"] == TRACE.trace_id
    assert "job_id" not in outside


def test_jobs_that_run_at_once_keep_their_lines_apart(library: logging.Logger, lines: Lines) -> None:
    async def job(kind: str, other_is_bound: asyncio.Event, is_bound: asyncio.Event) -> None:
        with bound(LogContext(kind=kind)):
            is_bound.set()
            await other_is_bound.wait()
            library.info(kind)

    async def both() -> None:
        one, two = asyncio.Event(), asyncio.Event()
        await asyncio.gather(job("ai.one", two, one), job("ai.two", one, two))

    asyncio.run(both())

    assert all(line["event"] == line["kind"] for line in lines())
    assert len(lines()) == 2


def test_a_context_may_be_extended(library: logging.Logger, lines: Lines) -> None:
    with bound(LogContext(correlation_id="c-1")), bound(replace(current(), job_id=JOB)):
        library.info("inside")

    [line] = lines()
    assert (line["correlation_id"], line["job_id"]) == ("c-1", str(JOB))


def test_an_exception_is_logged_by_type_and_place(library: logging.Logger, lines: Lines) -> None:
    try:
        _fail()
    except ValueError:
        library.exception("it failed")

    [line] = lines()
    assert line["error"]["type"] == "ValueError"
    assert line["error"]["frames"][-1].startswith("tests/unit/monitoring/logs/logging_test.py:")
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("can't connect to %s", (f"redis://:{CANARY}@127.0.0.1:6379/0",)),
        ("headers: %s", ({"Authorization": f"Bearer {CANARY}"},)),
        ("headers: %(headers)s", ({"headers": f"Authorization: Bearer {CANARY}"},)),
        ("failed: %s", (ValueError(CANARY),)),
        ("failed: %r", (ValueError(CANARY),)),
        ("failed: %(error)s", ({"error": ValueError(CANARY)},)),
        ("failed:\nTraceback (most recent call last):\n" + f'  File "x.py", line 1, in f\nValueError: {CANARY}', ()),
        (f"key bct_{CANARY}", ()),
    ],
)
def test_a_secret_that_a_library_logs_is_seen_nowhere(
    library: logging.Logger, lines: Lines, message: str, arguments: tuple[object, ...]
) -> None:
    library.error(message, *arguments)

    [line] = lines()
    assert CANARY not in json.dumps(line)


def test_celerys_task_lines_lose_what_may_quote_a_document(lines: Lines, library: logging.Logger) -> None:
    handler = library.handlers[0]
    record = logging.LogRecord(
        "celery.app.trace", logging.ERROR, "trace.py", 1, "Task %(name)s[%(id)s]: %(exc)s", None, None
    )
    record.args = {"name": "ai.process_document", "id": "1", "exc": CANARY, "args": CANARY, "traceback": CANARY}
    handler.handle(record)

    [line] = lines()
    assert line["event"] == "Task ai.process_document[1]: -"


def test_an_access_line_loses_the_query(lines: Lines, library: logging.Logger) -> None:
    message = '%s - "%s %s HTTP/%s" %d'
    record = logging.LogRecord("uvicorn.access", logging.INFO, "h11.py", 1, message, None, None)
    record.args = ("127.0.0.1:5", "GET", f"/api/search?q={CANARY}", "1.1", 200)
    library.handlers[0].handle(record)

    [line] = lines()
    assert line["event"] == '127.0.0.1:5 - "GET /api/search HTTP/1.1" 200'


def test_another_handler_still_gets_the_librarys_own_record(library: logging.Logger, lines: Lines) -> None:
    seen: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    library.addHandler(Listener())
    library.error("failed: %s", ValueError("why"))

    assert seen == ["failed: why"]


def test_a_line_for_the_terminal_shows_the_error_below() -> None:
    try:
        _fail()
    except ValueError as error:
        record = logging.LogRecord("workers", logging.ERROR, "x.py", 1, "it failed", (), (type(error), error, None))
        shown = formatter("console").format(record)

    assert "it failed" in shown
    assert "ValueError\n  at tests/unit/monitoring/logs/logging_test.py:" in shown
    assert CANARY not in shown


def test_an_unknown_format_is_refused_with_those_that_work() -> None:
    with pytest.raises(LogSettingInvalid, match="LOG_FORMAT can't be 'xml': use json or console"):
        formatter("xml")


def test_structlogs_fields_stand_in_the_line() -> None:
    lines = _lines_of_a_process("structlog.get_logger('workers.ai').info('generated', pages=3, token='" + CANARY + "')")

    assert lines[0]["event"] == "generated"
    assert lines[0]["logger"] == "workers.ai"
    assert lines[0]["pages"] == 3
    assert lines[0]["token"] == "***"


def test_our_own_code_may_be_listened_to_more_closely_than_libraries() -> None:
    lines = _lines_of_a_process(
        "structlog.get_logger('workers').debug('ours')",
        "logging.getLogger('workers.runtime').debug('ours too')",
        "logging.getLogger('openai').debug('a prompt')",
        "logging.getLogger('httpx').info('a URL')",
        "logging.getLogger('openai').info('kept')",
        level="DEBUG",
    )

    assert [line["event"] for line in lines] == ["ours", "ours too", "kept"]


def test_uvicorn_celery_and_alembic_speak_the_same_format_once() -> None:
    lines = _lines_of_a_process(
        "import uvicorn",
        "uvicorn.Config(app=None)",
        "configure('INFO', 'json')",
        "[logging.getLogger(name).error(name) for name in ('uvicorn.error', 'celery', 'alembic')]",
    )

    assert [line["event"] for line in lines] == ["uvicorn.error", "celery", "alembic"]


@pytest.mark.parametrize(
    ("code", "event"),
    [
        (f"raise ValueError('{CANARY}')", "process_failed"),
        (f"t = threading.Thread(target=int, args=('{CANARY}',)); t.start(); t.join()", "thread_failed"),
        (
            ABANDONED_TASK,
            "Task exception was never retrieved",
        ),
        (f"class D:\n    def __del__(self): raise ValueError('{CANARY}')\nD()", "error_ignored_by_python"),
        (f"logging.getLogger('lib').error('%d', '{CANARY}')", "log_line_failed"),
    ],
)
def test_what_kills_a_process_or_a_part_of_it_is_told_in_one_safe_line(code: str, event: str) -> None:
    [line] = _lines_of_a_process(code)

    assert line["event"] == event
    assert CANARY not in json.dumps(line)


def test_an_error_of_ours_that_ends_the_process_says_what_to_do() -> None:
    [line] = _lines_of_a_process("from infrastructure.settings import load", "load({}).database")

    assert line["error"]["type"] == "infrastructure.settings.SettingsInvalid"
    assert line["why"] == "no database is known: run `bucatini up` or set DATABASE_URL"


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(AssertionError, match="LOG_LEVEL can't be 'LOUD': use one of DEBUG, INFO"):
        _lines_of_a_process("pass", level="LOUD")


def _fail() -> None:
    document = f"a document with {CANARY}"
    raise ValueError(document)


def _lines_of_a_process(*code: str, level: str = "INFO") -> list[dict[str, Any]]:
    """What a process writes to stderr. Hooks and the root logger belong to a process, so it is one of its own."""
    head = "import asyncio, logging, threading, structlog\nfrom monitoring.logs.logging import configure\n"
    script = head + f"configure({level!r}, 'json')\n" + "\n".join(code)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False
    )
    try:
        return [json.loads(line) for line in ended.stderr.splitlines()]
    except ValueError:
        raise AssertionError(ended.stderr) from None
