"""One Elasticsearch server: its configuration, and its process, which the test starts, stops and kills."""

import hashlib
import json
import os
import pwd
import signal
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from infrastructure.local_stack.supervisor.processes import Program, Running, User
from tests.elasticsearch.distribution import Distribution

READY_SECONDS = 300.0
"""Ten seconds of computing, which a machine that does much else stretches."""
HEAP = "512m"
ADMIN, PASSWORD = "admin", "cArBoNaRa4711"
"""A superuser where security is on."""
JVM_OPTIONS = """\
-XX:+UseSerialGC
-XX:-UsePerfData
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${ES_TMPDIR}
--add-modules=jdk.incubator.vector
"""
QUICK_START = "-XX:TieredStopAtLevel=1"
"""Compiles at once and less well: a server of tests spends most of its life starting."""
LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %marker%m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
USUAL: Mapping[str, object] = {
    "network.host": LOOPBACK,
    # How full the machine's disk is, is no matter of a test's.
    "cluster.routing.allocation.disk.threshold_enabled": False,
    # It would ask its maker's servers what models there are.
    "xpack.inference.elastic.authorization.enabled": False,
    "action.destructive_requires_name": True,
}


@dataclass(slots=True)
class Node:
    """A server with ports and data of its own. `start` after `stop` or `kill` keeps them."""

    folder: Path
    distribution: Distribution
    settings: Mapping[str, object] = field(default_factory=dict)
    secured: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    """More of its configuration, by their paths in there."""
    ca_file: Path | None = None
    """Who signed its certificate, where its settings have it speak https."""
    java_options: str = QUICK_START
    port: int = field(default_factory=free_port)
    transport_port: int = field(default_factory=free_port)
    running: Running | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://{LOOPBACK}:{self.port}"

    def launch(self) -> None:
        """Starts it, and doesn't wait until it answers."""
        user = _server_user()
        self._write_configuration(user)
        self.running = Running(self._program(user))

    def start(self) -> None:
        """Returns when it answers. PartFailed, with the end of its log, when it doesn't."""
        self.launch()
        self.await_ready()

    def await_ready(self) -> None:
        """After `launch`."""
        assert self.running is not None, "it was never launched"
        self.running.await_ready(self.answers, within_seconds=READY_SECONDS)

    def stop(self) -> None:
        """Ends it in order. Safe to repeat."""
        if self.running is not None:
            self.running.stop()

    def kill(self) -> None:
        """Ends it as a crash would. Safe to repeat."""
        if self.running is not None:
            self.running.kill()

    def answers(self) -> bool:
        """Whether it serves, and its cluster has a master."""
        try:
            return self.call("GET", "/_cluster/health?master_timeout=1s").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def call(self, method: str, path: str, body: Any = None, *, api_key: str | None = None) -> httpx.Response:
        """One request, past our own client; as the superuser where security is on and no key is given."""
        headers = {"Authorization": f"ApiKey {api_key}"} if api_key else {}
        auth = (ADMIN, PASSWORD) if self.secured and not api_key else None
        with httpx.Client(
            base_url=self.url, headers=headers, auth=auth, verify=self.trusted(), trust_env=False, timeout=30
        ) as http:
            return http.request(method, path, json=body)

    def trusted(self) -> ssl.SSLContext | bool:
        """For httpx."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True

    def _program(self, user: User | None) -> Program:
        home, java = self.distribution.home, self.distribution.java_home
        launcher = ("-Xmx64m", "-XX:+UseSerialGC", "-cp", f"{home}/lib/tools/server-launcher/*")
        return Program(
            name="elasticsearch",
            argv=(str(java / "bin" / "java"), *launcher, "org.elasticsearch.server.launcher.ServerLauncher"),
            log=self.folder / "elasticsearch.log",
            environment={
                "ES_HOME": str(home),
                "ES_PATH_CONF": str(self.folder / "config"),
                "ES_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP} {self.java_options}",
                "ES_TMPDIR": str(self.folder / "tmp"),
                "ES_DISTRIBUTION_TYPE": "tar",
                "JAVA_TYPE": "JAVA_HOME",
                "JAVA_HOME": str(java),
                "JAVA": str(java / "bin" / "java"),
                "HOSTNAME": "localhost",
                "PATH": os.defpath,
            },
            folder=home,
            user=user,
            stop_signals=(signal.SIGTERM,),
        )

    def _write_configuration(self, user: User | None) -> None:
        config = self.folder / "config"
        for folder in (self.folder, config, config / "jvm.options.d", *(self.folder / name for name in OWN_FOLDERS)):
            folder.mkdir(parents=True, exist_ok=True)
        (config / "elasticsearch.yml").write_text(_flat_yaml(self._all_settings()))
        (config / "jvm.options").write_text(JVM_OPTIONS)
        (config / "log4j2.properties").write_text(LOGGING)
        # Users of a file are there from the first moment; a built-in one's password would need Java to be set.
        (config / "users").write_text(f"{ADMIN}:{_hashed(PASSWORD)}\n")
        (config / "users_roles").write_text(f"superuser:{ADMIN}\n")
        for name, content in self.files.items():
            (config / name).parent.mkdir(parents=True, exist_ok=True)
            (config / name).write_text(content)
        if user:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user.uid, user.gid)

    def _all_settings(self) -> dict[str, object]:
        return {
            **USUAL,
            "node.name": self.name,
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
            "path.repo": str(self.folder.parent / SNAPSHOTS),
            "http.port": self.port,
            "transport.port": self.transport_port,
            "xpack.security.enabled": self.secured,
            **self.settings,
        }


OWN_FOLDERS = ("data", "logs", "tmp")
SNAPSHOTS = "snapshots"
"""Beside the nodes' folders, and the same for all of a cluster: where a repository of the type `fs` may lie."""


def make_snapshots_folder(parent: Path) -> Path:
    """Where the servers below this folder may have repositories."""
    folder = parent / SNAPSHOTS
    folder.mkdir(parents=True, exist_ok=True)
    if user := _server_user():
        os.chown(folder, user.uid, user.gid)
    return folder


def _server_user() -> User | None:
    """Who it runs as, since it refuses root; None when we aren't root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def _flat_yaml(settings: Mapping[str, object]) -> str:
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())


def _hashed(password: str) -> str:
    """As its file of users has it."""
    rounds, salt = 10_000, os.urandom(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 32)
    return f"{{PBKDF2}}{rounds}${b64encode(salt).decode()}${b64encode(digest).decode()}"
