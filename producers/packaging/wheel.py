"""`python -m producers.packaging.wheel FOLDER` builds `bucatini-client` there: the client, and the schemas and events that it
speaks of, below the one name `bucatini_client`. `make client` builds it into dist/.

There is no second copy in the repository: imports are rewritten on the way into the wheel.
"""

import ast
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
NAME: Final = "bucatini_client"
OLDEST_PYTHON: Final = (3, 10)

PLACES: Final = {"producers.client": NAME, "schemas": f"{NAME}.schemas", "events": f"{NAME}.events"}
"""Our packages, and where the wheel has them."""
LIBRARIES: Final = frozenset(
    {"annotated_types", "httpx", "httpx_sse", "pydantic", "pydantic_core", "typing_extensions", "websockets"}
)
"""What its dependencies bring."""
DOES_WITHOUT: Final = {f"{NAME}/schemas/server_checks.py": frozenset({"cronsim", "orjson"})}
"""What is used only where it is installed."""
NEWER: Final = {"enum": {"StrEnum"}, "datetime": {"UTC"}, "typing": {"Self", "Unpack"}}
"""What the oldest Python lacks, by module: `older_python` has it."""


class Unshippable(Exception):
    """A source that the wheel can't have. The message names it and says why."""


def build(folder: Path) -> Path:
    """The wheel in that folder. Unshippable when a source needs what the wheel won't have."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        for name, text in project_files().items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        command = (
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(folder.resolve()),
        )
        built = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise Unshippable(f"hatchling couldn't build it: {built.stderr or built.stdout}")
    return folder / f"{NAME}-{_version()}-py3-none-any.whl"


def project_files() -> Mapping[str, str]:
    """Everything the wheel is built of, by path."""
    files = dict(_sources())
    for path, text in files.items():
        check(path, text)
    return {
        **files,
        f"{NAME}/py.typed": "",
        "pyproject.toml": _read(HERE / "bucatini_client.toml"),
        "README.md": _read(HERE / "bucatini_client.md"),
        "VERSION": _version(),
        **({"LICENSE": _read(license_file)} if (license_file := ROOT / "LICENSE").exists() else {}),
    }


def rewritten(text: str) -> str:
    """The source with the wheel's names for our packages, and `older_python`'s for what Python 3.10 lacks."""
    lines = text.splitlines(keepends=True)
    # From the end, so that the numbers of the lines before stay true.
    for node in sorted(_imports(ast.parse(text)), key=lambda node: node.lineno, reverse=True):
        statements = _statements(node)
        if statements is not None:
            indent = " " * node.col_offset
            end = node.end_lineno or node.lineno
            lines[node.lineno - 1 : end] = [f"{indent}{statement}\n" for statement in statements]
    return "".join(lines).replace("producers.client", NAME)


def _sources() -> Iterator[tuple[str, str]]:
    for package, place in PLACES.items():
        folder = ROOT / package.replace(".", "/")
        for source in sorted(folder.rglob("*.py")):
            yield f"{place.replace('.', '/')}/{source.relative_to(folder).as_posix()}", rewritten(_read(source))
    yield f"{NAME}/older_python.py", _read(HERE / "older_python.py")


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _statements(node: ast.Import | ast.ImportFrom) -> list[str] | None:
    """What stands in its place; None where it may stay."""
    match node:
        case ast.Import(names=[ast.alias(name=name, asname=asname)]) if _place_of(name) is not None:
            above, _, last = str(_place_of(name)).rpartition(".")
            return [f"from {above} import {last}" + (f" as {asname}" if asname else "")]
        case ast.ImportFrom(module=str(module), names=names, level=0) if (place := _place_of(module)) is not None:
            return [ast.unparse(ast.ImportFrom(place, names, 0))]
        case ast.ImportFrom(module=str(module), names=names, level=0) if module in NEWER:
            newer = [alias for alias in names if alias.name in NEWER[module]]
            rest = [alias for alias in names if alias.name not in NEWER[module]]
            moved = ((module, rest), (f"{NAME}.older_python", newer))
            return (
                [ast.unparse(ast.ImportFrom(source, given, 0)) for source, given in moved if given] if newer else None
            )
    return None


def _place_of(module: str) -> str | None:
    for package, place in PLACES.items():
        if module == package or module.startswith(f"{package}."):
            return place + module.removeprefix(package)
    return None


def check(path: str, text: str) -> None:
    try:
        tree = ast.parse(text, feature_version=OLDEST_PYTHON)
    except SyntaxError as error:
        raise Unshippable(f"{path}:{error.lineno}: Python 3.10 can't read it: {error.msg}") from None
    allowed = {NAME, *LIBRARIES, *sys.stdlib_module_names, *DOES_WITHOUT.get(path, ())}
    for node in _imports(tree):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        for module in modules:
            if module.partition(".")[0] not in allowed:
                raise Unshippable(f"{path}:{node.lineno}: the client's wheel has no {module}")


def _version() -> str:
    version: str = tomllib.loads(_read(ROOT / "pyproject.toml"))["project"]["version"]
    return version


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def main() -> None:
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")


if __name__ == "__main__":
    main()
