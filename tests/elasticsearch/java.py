"""A Java that is new enough for Elasticsearch 9, among those of this machine."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

OLDEST = 21
PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)
VERSION = re.compile(r'^JAVA_VERSION="(\d+)', re.MULTILINE)


def java_home() -> Path | None:
    """JAVA_HOME if it is new enough, else the oldest installed one that is; None where there is none."""
    named = os.environ.get("JAVA_HOME")
    if named and version_of(Path(named)) >= OLDEST:
        return Path(named)
    found = {version: home for home in _installed() if (version := version_of(home)) >= OLDEST}
    return found[min(found)] if found else None


def version_of(home: Path) -> int:
    """Its major version; 0 when there is no Java in this folder."""
    try:
        named = VERSION.search((home / "release").read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(named[1]) if named and (home / "bin" / "java").exists() else 0


def _installed() -> Iterator[Path]:
    if java := shutil.which("java"):
        yield Path(java).resolve().parent.parent
    for place in PLACES:
        yield from Path("/").glob(place.removeprefix("/"))
    yield from Path.home().glob(".sdkman/candidates/java/*")
