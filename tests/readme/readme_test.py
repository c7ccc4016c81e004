"""README and docs/models.md as a reader follows them: every fenced block runs, in order, in one checkout and one shell."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from infrastructure.local_stack.servers.loopback import free_port
from tests.readme.blocks import Block, blocks_of, is_printed
from tests.readme.terminal import Failed, Terminal

ROOT = Path(__file__).parents[2]
README = "README.md"
MODELS = "docs/models.md"
HERE_ALONE = (".bucatini", ".git", ".cache", "dist")
"""Of a checkout, what README's commands write to."""
INSTALLER_SETTINGS = ("PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT")


def test_every_block_of_readme_runs_as_it_stands(tmp_path: Path) -> None:
    _follow(README, tmp_path, os.environ["PATH"])


def test_every_block_about_models_runs_as_it_stands(tmp_path: Path) -> None:
    # It is read once README's first command has made the environment.
    _follow(MODELS, tmp_path, f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def _follow(page: str, scratch: Path, path: str) -> None:
    port, flower, simulator = free_port(), free_port(), free_port()
    installing = {name: value for name, value in os.environ.items() if name.startswith(INSTALLER_SETTINGS)}
    environment = {
        **installing,
        "PATH": path,
        "HOME": os.environ["HOME"],
        "API_PORT": str(port),
        "FLOWER_PORT": str(flower),
        "PYTHON": sys.executable,
    }
    # Tests run beside each other, so ports are the one thing that isn't the page's.
    address = f"127.0.0.1:{simulator}"
    elsewhere = {
        "localhost:8000": f"localhost:{port}",
        "127.0.0.1:8900": address,
        "simulate providers": f"simulate providers --port {simulator}",
        "simulate fault clean_cut": f"simulate fault clean_cut --address http://{address}",
        "simulate bill": f"simulate bill --address http://{address}",
    }
    with _checkout(scratch) as folder, Terminal(folder, scratch, environment) as terminal:
        for block in blocks_of((ROOT / page).read_text(encoding="utf-8")):
            text = block.text
            for written, run in elsewhere.items():
                text = text.replace(written, run)
            _run(replace(block, text=text), terminal, folder, page)


def _run(block: Block, terminal: Terminal, folder: Path, page: str) -> None:
    match block.marker, block.language:
        case "not run", _:
            return
        case "file", _:
            (folder / block.about).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.about).write_text(block.text, encoding="utf-8")
        case _, "console":
            _type(block, terminal, page)
        case _, "python":
            _python(block, terminal, folder, page)
        case _:
            raise Failed(
                f"{page} line {block.line}: nothing runs a block of '{block.language}'; say why, or name its file"
            )


def _type(block: Block, terminal: Terminal, page: str) -> None:
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
        raise Failed(f"{page} line {block.line}: {error}") from None


def _check(block: Block, expected: tuple[str, ...], output: str) -> None:
    for line in expected:
        if line.strip() and not is_printed(line, output):
            raise Failed(f"it should print\n{line}\nand printed\n{output}")


def _python(block: Block, terminal: Terminal, folder: Path, page: str) -> None:
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
        raise Failed(f"{page} line {block.line}: {error}") from None


@contextmanager
def _checkout(folder: Path) -> Iterator[Path]:
    """This checkout under another name: the same files, and nothing of what runs in it."""
    checkout = folder / "bucatini"
    checkout.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in HERE_ALONE:
            (checkout / entry.name).symlink_to(entry)
    yield checkout
