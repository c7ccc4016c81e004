"""Holds the rules that the folders stand for: who may import whom, where an outside system's library is used, how big
a file may grow. A failure names the file and line, and the rule says where the thing belongs."""

import ast
import re
from collections.abc import Callable, Iterable

import pytest

from tests.source_tree import (
    MAY_IMPORT,
    ROOMS,
    Module,
    capability_in,
    everything,
    import_cycle_in,
    imports_that_are,
    nodes_that,
    product,
)

MAY_READ_THE_ENVIRONMENT = (
    "infrastructure/settings.py",
    # The local stack makes the environment of the processes it starts, from the one it was given.
    "infrastructure/local_stack",
    # The client travels alone, without our settings.
    "producers/client/address.py",
)

MAY_READ_THE_WALL_CLOCK = (
    "infrastructure/postgres/clock.py",
    # A provider's headers name times, and so do the simulated ones'.
    "infrastructure/simulator/quotas.py",
    # A developer's tool, which dates what it writes.
    "infrastructure/model_registry/snapshot.py",
    # What a person or a client sees on its own machine.
    "bucatini/testing.py",
    "producers/cli/ages.py",
    "producers/cli/sample_report.py",
    "producers/client/exchange.py",
    # How old a job's id is, which its submitter's clock made: it only tells from where to read on.
    "producers/dispatcher/queue_feeder.py",
)
"""Times that decide anything are PostgreSQL's: docs/decisions/0012."""

MAY_START_TASKS: dict[str, str] = {
    "infrastructure/concurrency/supervisor.py": "runs every loop",
    "infrastructure/concurrency/watched.py": "logs what fails of all that ends by itself",
    "workers/runtime/running/runner.py": "one task a job: its run has its own edge, and a callback would cost each of them",
    "infrastructure/concurrency/threads.py": "its caller waits for what the function returns or raises",
    "infrastructure/local_stack/supervisor/source_watch.py": "only notices saved files, at a developer's desk",
    "infrastructure/concurrency/shared_fetches.py": "its callers wait for the fetch that they share",
    "api/streams/websocket.py": "the socket waits for its tasks, which end by raising why",
    "infrastructure/celery/pool.py": "the worker's event loop itself, whose lag the heartbeat and Celery watch",
    "infrastructure/concurrency/process_pool.py": "ends a child whose worker has died",
    "monitoring/tracing/otlp.py": "the process's end waits for it, for a moment",
    "monitoring/health/server.py": "answers operators: without it the liveness check fails",
    "producers/cli/up.py": "the command waits for its outcome",
}
"""Who starts tasks and threads outside of the supervisor, and who watches those."""

SAYS_NOTHING = re.compile(r"utils?|helpers?|common|managers?|services?|misc")
NAMED_BY_OTHERS: dict[str, str] = {
    "infrastructure/postgres/migrations/versions/0012_add_ai_service_logging.py": "operators know the migration and its "
    "table, ai_service_requests, by these names",
}
MAX_LINES = 300
LONGER_FILES: dict[str, int] = {
    # One rule for each step that the protocol may take: they are read side by side, and share the machine's state.
    "tests/protocol/machine.py": 320,
}
"""Files that may be longer, each with a ceiling of its own and a reason beside it."""
MAX_LINES_OF_A_FUNCTION = 70
MAX_SIBLINGS_OF_A_PREFIX = 2


def imports_against_the_direction(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        role = imported.partition(".")[0]
        return role in {*MAY_IMPORT, "tests"} and role not in {module.role, *MAY_IMPORT[module.role]}

    return imports_that_are(forbidden, product(modules))


def capabilities_that_import_another(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        role, *rest = imported.split(".")
        other = capability_in(rest)
        within = role == module.role and role in ("workers", "api")
        return within and None not in (module.capability, other) and other != module.capability

    return imports_that_are(forbidden, product(modules))


def libraries_outside_their_room(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        rooms = ROOMS.get(imported.partition(".")[0])
        return rooms is not None and not module.is_in(rooms)

    return imports_that_are(forbidden, product(modules))


def readers_of_the_environment(modules: Iterable[Module]) -> list[str]:
    def reads(node: ast.AST) -> bool:
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv"):
                return True
            case ast.ImportFrom(module="os", names=names):
                return any(alias.name in ("environ", "environb", "getenv", "putenv") for alias in names)
            case _:
                return False

    return nodes_that(reads, [one for one in product(modules) if not one.is_in(MAY_READ_THE_ENVIRONMENT)])


def readers_of_the_wall_clock(modules: Iterable[Module]) -> list[str]:
    def reads(node: ast.AST) -> bool:
        match node:
            case ast.Attribute(value=ast.Name(id="time"), attr="time" | "time_ns" | "localtime" | "gmtime"):
                return True
            case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "utcnow" | "today"):
                return True
            case ast.ImportFrom(module="time", names=names):
                return any(alias.name in ("time", "time_ns") for alias in names)
            case _:
                return False

    return nodes_that(reads, [one for one in product(modules) if not one.is_in(MAY_READ_THE_WALL_CLOCK)])


def tasks_that_nobody_watches(modules: Iterable[Module]) -> list[str]:
    """What repeats is a Loop of the supervisor; what ends by itself is started by `watched`."""
    return nodes_that(_starts_a_task, [one for one in product(modules) if one.path not in MAY_START_TASKS])


def _starts_a_task(node: ast.AST) -> bool:
    starters = {"create_task", "ensure_future", "TaskGroup", "Thread", "Timer", "start_new_thread"}
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name in starters
        case _:
            return False


def circles_of_imports(modules: Iterable[Module]) -> list[str]:
    """Those for the type checker included: files that need each other even to be read are one file, or lack a protocol."""
    return import_cycle_in(product(modules))


def long_files(modules: Iterable[Module]) -> list[str]:
    sizes = {module.path: module.text.count("\n") for module in modules}
    return [f"{path} has {size} lines" for path, size in sizes.items() if size > LONGER_FILES.get(path, MAX_LINES)]


def long_functions(modules: Iterable[Module]) -> list[str]:
    def is_long(node: ast.AST) -> bool:
        match node:
            case (
                ast.FunctionDef(lineno=first, end_lineno=int(last))
                | ast.AsyncFunctionDef(lineno=first, end_lineno=int(last))
            ):
                return last - first >= MAX_LINES_OF_A_FUNCTION
            case _:
                return False

    return nodes_that(is_long, modules)


def names_that_say_nothing(modules: Iterable[Module]) -> list[str]:
    return [
        module.path
        for module in modules
        if module.path not in NAMED_BY_OTHERS
        and any(SAYS_NOTHING.fullmatch(word) for word in re.split(r"[/_.]", module.path))
    ]


def prefixes_that_should_be_a_folder(modules: Iterable[Module]) -> list[str]:
    """`client_jobs`, `client_batches`, `client_holds`: what three siblings begin with is a folder's name."""
    siblings: dict[str, list[str]] = {}
    for module in modules:
        folder, _, file = module.path.rpartition("/")
        name = file.removesuffix(".py").removesuffix("_test")
        prefix, underscore, _ = name.partition("_")
        if underscore and prefix:
            siblings.setdefault(f"{folder}/{prefix}_", []).append(module.path)
    return [path for paths in siblings.values() if len(paths) >= MAX_SIBLINGS_OF_A_PREFIX + 1 for path in paths]


def modules_without_a_docstring(modules: Iterable[Module]) -> list[str]:
    return [module.path for module in modules if module.text.strip() and not ast.get_docstring(module.tree)]


def mocks(modules: Iterable[Module]) -> list[str]:
    def forbidden(_: Module, imported: str) -> bool:
        return f"{imported}.".startswith(("unittest.mock.", "mock.", "pytest_mock."))

    return imports_that_are(forbidden, modules)


def sleeping_tests(modules: Iterable[Module]) -> list[str]:
    def sleeps(node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep"), args=[ast.Constant(value=0)]):
                return False  # It gives the event loop a turn and waits for no time.
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep")):
                return True
            case _:
                return False

    return nodes_that(sleeps, [module for module in modules if module.path.endswith("_test.py")])


Rule = Callable[[Iterable[Module]], list[str]]
BROKEN_BY: list[tuple[Rule, str, str]] = [
    (imports_against_the_direction, "schemas/ai.py", "from events.ai import DocumentGenerated"),
    (imports_against_the_direction, "api/routes/ai.py", "from workers.ai.tasks import handlers"),
    (imports_against_the_direction, "workers/ai/tasks.py", "def f():\n    from api import ai"),
    (imports_against_the_direction, "workers/ai/tasks.py", "from ... import api"),
    (capabilities_that_import_another, "workers/ai/tasks.py", "import workers.search.indexing"),
    (capabilities_that_import_another, "workers/ai/tasks.py", "from ..search import indexing"),
    (capabilities_that_import_another, "api/routes/ai.py", "from api.routes.search import suggest"),
    (libraries_outside_their_room, "workers/ai/generation.py", "import openai"),
    (libraries_outside_their_room, "infrastructure/redis/client.py", "from sqlalchemy import text"),
    (libraries_outside_their_room, "infrastructure/key_vault/local.py", "from starlette.requests import Request"),
    (readers_of_the_environment, "api/app.py", "import os\nport = os.environ['PORT']"),
    (readers_of_the_environment, "api/app.py", "from os import getenv"),
    (readers_of_the_wall_clock, "workers/runtime/running/attempt.py", "now = datetime.now(UTC)"),
    (readers_of_the_wall_clock, "workers/runtime/running/attempt.py", "import time\nlate = time.time() > 5"),
    (tasks_that_nobody_watches, "api/app.py", "task = asyncio.create_task(work())"),
    (tasks_that_nobody_watches, "api/app.py", "async with asyncio.TaskGroup() as group:\n    pass"),
    (tasks_that_nobody_watches, "workers/runtime/worker.py", "Thread(target=work).start()"),
    (long_files, "api/app.py", "\n" * (MAX_LINES + 1)),
    (long_functions, "api/app.py", "def f():\n" + "    pass\n" * MAX_LINES_OF_A_FUNCTION),
    (names_that_say_nothing, "api/http_utils.py", ""),
    (names_that_say_nothing, "workers/common/retry.py", ""),
    (capabilities_that_import_another, "workers/ai/pipeline/cache.py", "from workers.search.indexing import index"),
    (capabilities_that_import_another, "api/routes/ai/prompts.py", "from api.routes.search import suggest"),
    (modules_without_a_docstring, "api/app.py", "port = 80"),
    (mocks, "tests/unit/ai_test.py", "from unittest import mock"),
    (mocks, "tests/unit/ai_test.py", "from unittest.mock import patch"),
    (sleeping_tests, "tests/unit/ai_test.py", "import time\ntime.sleep(1)"),
]
RULES = [
    *dict.fromkeys(rule for rule, _, _ in BROKEN_BY),
    prefixes_that_should_be_a_folder,
    circles_of_imports,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule_about(rule: Rule) -> None:
    assert rule(everything()) == []


def test_a_prefix_that_three_siblings_share_is_noticed() -> None:
    paths = ("producers/client_jobs.py", "producers/client_holds.py", "producers/client_batches.py")

    assert prefixes_that_should_be_a_folder([Module(path, "", ast.parse("")) for path in paths[:2]]) == []
    assert prefixes_that_should_be_a_folder([Module(path, "", ast.parse("")) for path in paths]) == list(paths)


def test_a_circle_of_imports_is_noticed_even_where_only_the_type_checker_walks_it() -> None:
    texts = {
        "producers/client/blocking/client.py": "from producers.client.blocking import jobs",
        "producers/client/blocking/jobs.py": "if TYPE_CHECKING:\n    from producers.client.blocking.client import Bucatini",
    }
    blocking, jobs = (Module(path, text, ast.parse(text)) for path, text in texts.items())

    assert circles_of_imports([blocking]) == []
    assert set(circles_of_imports([blocking, jobs])) == set(texts)


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN_BY)
def test_a_rule_notices_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert rule([Module(path, text, ast.parse(text))]) != []


def test_no_exception_outlives_its_reason() -> None:
    assert set(NAMED_BY_OTHERS) <= {module.path for module in everything()}
    assert set(LONGER_FILES) <= {module.path for module in everything() if module.text.count("\n") > MAX_LINES}
    starting = {module.path for module in everything() if any(map(_starts_a_task, ast.walk(module.tree)))}
    assert set(MAY_START_TASKS) <= starting
