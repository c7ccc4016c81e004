"""README as a reader follows it: every fenced block runs, in order, in one checkout and one shell."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local_stack.servers.loopback import free_port
from tests.readme.blocks import Block, blocks_of, is_printed
from tests.readme.terminal import Failed, Terminal

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HERE_ALONE = (".bucatini", ".git", ".cache", "dist")
"""Of a checkout, what README's commands write to."""
INSTALLER_SETTINGS = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT")
DEFAULT_PORT = "localhost:8000"


def test_every_block_of_readme_runs_as_it_stands(tmp_path: Path) -> None:
    port, flower = free_port(), free_port()
    installing = {name: value for name, value in os.environ.items() if name.startswith(INSTALLER_SETTINGS)}
    environment = {
        **installing,
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "API_PORT": str(port),
        "FLOWER_PORT": str(flower),
        "PYTHON": sys.executable,
    }
    with _checkout(tmp_path) as folder, Terminal(folder, tmp_path, environment) as terminal:
        for block in blocks_of(README):
            # Tests run beside each other, so the port is the one thing that isn't README's.
            _run(block, block.text.replace(DEFAULT_PORT, f"localhost:{port}"), terminal, folder)


def _run(block: Block, text: str, terminal: Terminal, folder: Path) -> None:
    moved = Block(block.line, block.language, text, block.marker, block.about)
    match block.marker, block.language:
        case "not run", _:
            return
        case "file", _:
            (folder / block.about).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.about).write_text(text, encoding="utf-8")
        case _, "console":
            _type(moved, terminal)
        case _, "python":
            _python(moved, terminal, folder)
        case _:
            raise Failed(
                f"README line {block.line}: nothing runs a block of '{block.language}'; say why, or name its file"
            )


def _type(block: Block, terminal: Terminal) -> None:
    *first, last = block.commands
    try:
        for command in first:
            _check(block, command.printed, terminal.run(command.text))
        match block.marker:
            case "beside":
                terminal.leave_running(last.text, block.about)
            case "until":
                terminal.run_until(last.text, block.about)
            case _:
                _check(block, last.printed, terminal.run(last.text))
    except AssertionError as error:
        raise Failed(f"README line {block.line}: {error}") from None


def _check(block: Block, expected: tuple[str, ...], output: str) -> None:
    for line in expected:
        if line.strip() and not is_printed(line, output):
            raise Failed(f"it should print\n{line}\nand printed\n{output}")


def _python(block: Block, terminal: Terminal, folder: Path) -> None:
    script = folder / ".cache" / f"readme_{block.line}.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(block.text, encoding="utf-8")
    command = f"PYTHONPATH=. python -u {script}"
    try:
        if block.marker == "until":
            terminal.run_until(command, block.about)
        else:
            terminal.run(command)
    except AssertionError as error:
        raise Failed(f"README line {block.line}: {error}") from None


@contextmanager
def _checkout(folder: Path) -> Iterator[Path]:
    """This checkout under another name: the same files, and nothing of what runs in it."""
    checkout = folder / "bucatini"
    checkout.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in HERE_ALONE:
            (checkout / entry.name).symlink_to(entry)
    yield checkout
