"""The sources as `tests/architecture_test.py` reads them: modules, what they import, what stands in them."""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "events": {"schemas"},
    "infrastructure": {"schemas", "events"},
    "monitoring": {"schemas", "events"},
    "kinds": {"schemas", "events", "infrastructure"},
    "producers": {"schemas", "events", "infrastructure", "monitoring", "kinds"},
    "workers": {"schemas", "events", "infrastructure", "monitoring", "kinds", "producers"},
    "api": {"schemas", "events", "infrastructure", "monitoring", "kinds", "producers"},
    # What other packages are written with. Nothing of ours imports it.
    "bucatini": {"schemas", "events", "infrastructure", "kinds", "producers"},
}
"""The roles, and what each may build on. `tests` may import everything."""

ROOMS: dict[str, tuple[str, ...]] = {
    "openai": ("infrastructure/openai",),
    "anthropic": ("infrastructure/anthropic",),
    "elasticsearch": ("infrastructure/elasticsearch",),
    "elastic_transport": ("infrastructure/elasticsearch",),
    "azure": ("infrastructure/key_vault",),
    "tantivy": ("infrastructure/tantivy",),
    "rapidfuzz": ("infrastructure/tantivy",),
    "liquid": ("infrastructure/liquid",),
    "psycopg": ("infrastructure/postgres",),
    "sqlalchemy": ("infrastructure/postgres",),
    "alembic": ("infrastructure/postgres",),
    "redis": ("infrastructure/redis", "infrastructure/celery"),
    "kombu": ("infrastructure/celery",),
    # Flower is a Celery application itself.
    "celery": ("infrastructure/celery", "monitoring"),
    "flower": ("monitoring",),
    "httpcore": ("infrastructure/webhooks",),
    "standardwebhooks": ("infrastructure/webhooks",),
    "jwt": ("infrastructure/oidc",),
    # What the simulator serves is another's interface, and no part of ours.
    "starlette": ("api", "infrastructure/simulator"),
    # What the SDKs of the AI providers stand on: slow to import, so only where one of them is used.
    "aiohttp": ("infrastructure/model_http",),
    "httpx2": ("infrastructure/model_http", "infrastructure/openai", "infrastructure/anthropic"),
    "genai_prices": ("infrastructure/model_registry/snapshot.py",),
    # Patterns and references are bounded there, and nowhere else.
    "jsonschema_rs": ("infrastructure/json_schema",),
    "json_repair": ("infrastructure/json_schema",),
    "obstore": ("infrastructure/object_store",),
    "prometheus_client": ("monitoring",),
    # Imported only where a collector is named.
    "opentelemetry": ("monitoring/tracing/otlp.py",),
    # What reads a document's bytes does so in a child process that may die of them.
    "pypdfium2": ("infrastructure/extraction",),
    "lxml": ("infrastructure/extraction",),
    "python_calamine": ("infrastructure/extraction",),
    "striprtf": ("infrastructure/extraction",),
    "cchardet": ("infrastructure/extraction",),
}
"""Each library and the rooms of the outside system that it talks to."""

CAPABILITIES = ("jobs", "ai", "search", "workflow", "keys", "webhooks", "groups", "collab")


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
        """The capability it belongs to: the first folder or file below its role that is named after one."""
        return capability_in(self.path.removesuffix(".py").split("/")[1:])

    def is_in(self, places: Iterable[str]) -> bool:
        return any(self.path == place or self.path.startswith(f"{place}/") for place in places)


def capability_in(words: Iterable[str]) -> str | None:
    return next((word for word in words if word in CAPABILITIES), None)


def imports_that_are(forbidden: Callable[[Module, str], bool], modules: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{line} imports {imported}"
        for module in modules
        for line, imported in _imports(module)
        if forbidden(module, imported)
    ]


def nodes_that(condition: Callable[[ast.AST], bool], modules: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{getattr(node, 'lineno', 0)}"
        for module in modules
        for node in ast.walk(module.tree)
        if condition(node)
    ]


def import_cycle_in(modules: Iterable[Module]) -> list[str]:
    """The modules of one circle of imports, the first again at the end; none if imports go one way only. Imports inside
    functions and under TYPE_CHECKING count too."""
    paths = {module.path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): module for module in modules}
    graph = {
        module.path: {paths[name].path for _, imported in _imports(module) if (name := _module_of(imported, paths))}
        for module in paths.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def _module_of(imported: str, names: Collection[str]) -> str | None:
    """The module that a dotted name is or is a part of."""
    parent = imported.rpartition(".")[0]
    return next((name for name in (imported, parent) if name in names), None)


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


def product(modules: Iterable[Module]) -> list[Module]:
    return [module for module in modules if module.role in MAY_IMPORT]


@cache
def everything() -> tuple[Module, ...]:
    roles = [*MAY_IMPORT, "tests"]
    paths = sorted(path for role in roles for path in (ROOT / role).rglob("*.py") if "__pycache__" not in path.parts)
    return tuple(_module(path) for path in paths if not _is_a_peer(path))


def _module(path: Path) -> Module:
    text = path.read_text()
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


def _is_a_peer(path: Path) -> bool:
    """What the benchmarks measure us against is written in its own product's style, for its own environment."""
    return path.is_relative_to(ROOT / "tests" / "benchmarks" / "peers")
