"""Holds the rules that the folders stand for: who may import whom, where an outside system's library is used, how big
a file may grow. A failure names the file and line, and the rule says where the thing belongs."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "events": {"schemas"},
    "infrastructure": {"schemas", "events"},
    "monitoring": {"schemas", "events"},
    "producers": {"schemas", "events", "infrastructure", "monitoring"},
    "workers": {"schemas", "events", "infrastructure", "monitoring", "producers"},
    "api": {"schemas", "events", "infrastructure", "monitoring", "producers"},
}
"""The roles, and what each may build on. `tests` may import everything."""

CAPABILITIES = ("jobs", "ai", "search", "workflow", "keys", "webhooks", "groups", "collab")

ROOMS: dict[str, tuple[str, ...]] = {
    "openai": ("infrastructure/openai",),
    "anthropic": ("infrastructure/anthropic",),
    "elasticsearch": ("infrastructure/elasticsearch",),
    "azure": ("infrastructure/key_vault",),
    "tantivy": ("infrastructure/tantivy",),
    "psycopg": ("infrastructure/postgres",),
    "sqlalchemy": ("infrastructure/postgres",),
    "alembic": ("infrastructure/postgres",),
    "redis": ("infrastructure/redis", "infrastructure/celery"),
    "kombu": ("infrastructure/celery",),
    # Flower is a Celery application itself.
    "celery": ("infrastructure/celery", "monitoring"),
    "flower": ("monitoring",),
    "httpcore": ("infrastructure/receivers",),
    "standardwebhooks": ("infrastructure/receivers",),
    "jwt": ("infrastructure/oidc",),
    "starlette": ("api",),
    "obstore": ("infrastructure/object_store",),
    "prometheus_client": ("monitoring",),
}
"""Each library and the rooms of the outside system that it talks to."""

# The local stack makes the environment of the processes it starts, from the one it was given.
MAY_READ_THE_ENVIRONMENT = ("infrastructure/settings.py", "infrastructure/local_stack")

MAY_READ_THE_WALL_CLOCK = (
    "infrastructure/postgres/clock.py",
    # What a person or a client sees on its own machine.
    "producers/cli_client.py",
    "producers/cli_samples.py",
    "producers/client_exchange.py",
    # How old a job's id is, which its submitter's clock made: it only tells from where to read on.
    "producers/feeding.py",
)
"""Times that decide anything are PostgreSQL's: docs/decisions/0019."""

SAYS_NOTHING = re.compile(r"utils?|helpers?|common|managers?|services?|misc")
MOST_LINES = 300
LONGER_FILES: dict[str, int] = {}
"""Files that may be longer, each with a ceiling of its own and a reason beside it."""
MOST_LINES_OF_A_FUNCTION = 70


@dataclass(frozen=True, slots=True)
class Module:
    path: str
    """From the root, as a reader would type it."""
    text: str
    tree: ast.Module

    @property
    def role(self) -> str:
        return self.path.partition("/")[0]

    @property
    def capability(self) -> str | None:
        """The capability it belongs to: the folder or file right below its role."""
        word = self.path.split("/")[1].removesuffix(".py")
        return word if word in CAPABILITIES else None

    def is_in(self, places: Iterable[str]) -> bool:
        return any(self.path == place or self.path.startswith(f"{place}/") for place in places)


def imports_against_the_direction(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        role = imported.partition(".")[0]
        return role in {*MAY_IMPORT, "tests"} and role not in {module.role, *MAY_IMPORT[module.role]}

    return _imports_that_are(forbidden, _product(modules))


def capabilities_that_import_another(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        role, _, rest = imported.partition(".")
        other = rest.partition(".")[0]
        within = role == module.role and role in ("workers", "api")
        return within and module.capability is not None and other in CAPABILITIES and other != module.capability

    return _imports_that_are(forbidden, _product(modules))


def libraries_outside_their_room(modules: Iterable[Module]) -> list[str]:
    def forbidden(module: Module, imported: str) -> bool:
        rooms = ROOMS.get(imported.partition(".")[0])
        return rooms is not None and not module.is_in(rooms)

    return _imports_that_are(forbidden, _product(modules))


def readers_of_the_environment(modules: Iterable[Module]) -> list[str]:
    def reads(node: ast.AST) -> bool:
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv"):
                return True
            case ast.ImportFrom(module="os", names=names):
                return any(alias.name in ("environ", "environb", "getenv", "putenv") for alias in names)
            case _:
                return False

    return _nodes_that(reads, [one for one in _product(modules) if not one.is_in(MAY_READ_THE_ENVIRONMENT)])


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

    return _nodes_that(reads, [one for one in _product(modules) if not one.is_in(MAY_READ_THE_WALL_CLOCK)])


def long_files(modules: Iterable[Module]) -> list[str]:
    sizes = {module.path: module.text.count("\n") for module in modules}
    return [f"{path} has {size} lines" for path, size in sizes.items() if size > LONGER_FILES.get(path, MOST_LINES)]


def long_functions(modules: Iterable[Module]) -> list[str]:
    def is_long(node: ast.AST) -> bool:
        match node:
            case (
                ast.FunctionDef(lineno=first, end_lineno=int(last))
                | ast.AsyncFunctionDef(lineno=first, end_lineno=int(last))
            ):
                return last - first >= MOST_LINES_OF_A_FUNCTION
            case _:
                return False

    return _nodes_that(is_long, modules)


def names_that_say_nothing(modules: Iterable[Module]) -> list[str]:
    return [
        module.path
        for module in modules
        if any(SAYS_NOTHING.fullmatch(word) for word in re.split(r"[/_.]", module.path))
    ]


def modules_without_a_docstring(modules: Iterable[Module]) -> list[str]:
    return [module.path for module in modules if module.text.strip() and not ast.get_docstring(module.tree)]


def mocks(modules: Iterable[Module]) -> list[str]:
    def forbidden(_: Module, imported: str) -> bool:
        return f"{imported}.".startswith(("unittest.mock.", "mock.", "pytest_mock."))

    return _imports_that_are(forbidden, modules)


def sleeping_tests(modules: Iterable[Module]) -> list[str]:
    def sleeps(node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep"), args=[ast.Constant(value=0)]):
                return False  # It gives the event loop a turn and waits for no time.
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep")):
                return True
            case _:
                return False

    return _nodes_that(sleeps, [module for module in modules if module.path.endswith("_test.py")])


Rule = Callable[[Iterable[Module]], list[str]]
BROKEN_BY: list[tuple[Rule, str, str]] = [
    (imports_against_the_direction, "schemas/ai.py", "from events.ai import DocumentGenerated"),
    (imports_against_the_direction, "api/ai.py", "from workers.ai.tasks import handlers"),
    (imports_against_the_direction, "workers/ai/tasks.py", "def f():\n    from api import ai"),
    (imports_against_the_direction, "workers/ai/tasks.py", "from ... import api"),
    (capabilities_that_import_another, "workers/ai/tasks.py", "import workers.search.indexing"),
    (capabilities_that_import_another, "workers/ai/tasks.py", "from ..search import indexing"),
    (capabilities_that_import_another, "api/ai.py", "from api.search import suggest"),
    (libraries_outside_their_room, "workers/ai/generation.py", "import openai"),
    (libraries_outside_their_room, "infrastructure/redis/client.py", "from sqlalchemy import text"),
    (libraries_outside_their_room, "infrastructure/key_vault/local.py", "from starlette.requests import Request"),
    (readers_of_the_environment, "api/app.py", "import os\nport = os.environ['PORT']"),
    (readers_of_the_environment, "api/app.py", "from os import getenv"),
    (readers_of_the_wall_clock, "workers/runtime/attempt.py", "now = datetime.now(UTC)"),
    (readers_of_the_wall_clock, "workers/runtime/attempt.py", "import time\nlate = time.time() > 5"),
    (long_files, "api/app.py", "\n" * (MOST_LINES + 1)),
    (long_functions, "api/app.py", "def f():\n" + "    pass\n" * MOST_LINES_OF_A_FUNCTION),
    (names_that_say_nothing, "api/http_utils.py", ""),
    (names_that_say_nothing, "workers/common/retry.py", ""),
    (modules_without_a_docstring, "api/app.py", "port = 80"),
    (mocks, "tests/unit/ai_test.py", "from unittest import mock"),
    (mocks, "tests/unit/ai_test.py", "from unittest.mock import patch"),
    (sleeping_tests, "tests/unit/ai_test.py", "import time\ntime.sleep(1)"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in BROKEN_BY))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule_about(rule: Rule) -> None:
    assert rule(_everything()) == []


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN_BY)
def test_a_rule_notices_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert rule([Module(path, text, ast.parse(text))]) != []


def test_no_exception_outlives_its_reason() -> None:
    assert set(LONGER_FILES) <= {module.path for module in _everything() if module.text.count("\n") > MOST_LINES}


def _imports_that_are(forbidden: Callable[[Module, str], bool], modules: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{line} imports {imported}"
        for module in modules
        for line, imported in _imports(module)
        if forbidden(module, imported)
    ]


def _nodes_that(condition: Callable[[ast.AST], bool], modules: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{getattr(node, 'lineno', 0)}"
        for module in modules
        for node in ast.walk(module.tree)
        if condition(node)
    ]


def _imports(module: Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything the module imports, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(level=0, module=str(source), names=names):
                yield from ((node.lineno, f"{source}.{alias.name}") for alias in names)
            case ast.ImportFrom(level=level, module=source, names=names):
                above = module.path.split("/")[:-level] + ([source] if source else [])
                yield from ((node.lineno, ".".join([*above, alias.name])) for alias in names)


def _product(modules: Iterable[Module]) -> list[Module]:
    return [module for module in modules if module.role in MAY_IMPORT]


@cache
def _everything() -> tuple[Module, ...]:
    roles = [*MAY_IMPORT, "tests"]
    paths = sorted(path for role in roles for path in (ROOT / role).rglob("*.py") if "__pycache__" not in path.parts)
    return tuple(_module(path) for path in paths if not _is_a_peer(path))


def _module(path: Path) -> Module:
    text = path.read_text()
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


def _is_a_peer(path: Path) -> bool:
    """What the benchmarks measure us against is written in its own product's style, for its own environment."""
    return path.is_relative_to(ROOT / "tests" / "benchmarks" / "peers")
