"""What the local stack consists of: which processes, on which ports, with which settings, under which addresses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from infrastructure.local_stack.files.state_dir import Home
from infrastructure.local_stack.part import ProcessSpec
from infrastructure.local_stack.servers.loopback import LOOPBACK, PortTaken, answers, free_port, is_free, port_from
from infrastructure.local_stack.supervisor.processes import Running
from infrastructure.settings import Settings
from schemas.catalogue import queues

FLOWER = "flower"
READY_WORDS = "ready: "
"""What workers and the dispatcher log once they work."""
STOP_SECONDS = 5.0
"""What a process gets on top of its own grace period before it is killed."""
API_STOP_SECONDS = 35.0
"""The ingress lets requests finish for 30 s."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each process of ours listens. Workers and the dispatcher serve their metrics there."""

    api: int
    api_metrics: int
    flower: int
    dispatcher: int
    workers: Mapping[str, int]


def refuse_taken_ports(settings: Settings) -> None:
    """Raises PortTaken when a port that was given explicitly can't be had: whoever names one expects it there."""
    given: dict[int, str] = {}
    for name in ("api", "flower"):
        port, host = getattr(settings, f"{name}_port"), getattr(settings, f"{name}_host")
        if f"{name}_port" not in settings.model_fields_set or port == 0:
            continue
        variable = f"{name.upper()}_PORT={port}"
        if port in given:
            raise PortTaken(f"{given[port]} and {variable} name the same port: give each its own")
        if not is_free(port, host):
            raise PortTaken(
                f"{variable}, and port {port} of {host} is taken: end what listens there, give another, or give none to "
                "have a free one chosen"
            )
        given[port] = variable


def choose_ports(settings: Settings, report: Callable[[str], None]) -> Ports:
    """The ports that were given, or else the default ones or the next free ones, which it reports with `report`.
    PortTaken as `refuse_taken_ports`."""
    refuse_taken_ports(settings)
    flowers = frozenset({settings.flower_port} if "flower_port" in settings.model_fields_set else ())
    api = port_from(settings.api_port, settings.api_host, besides=flowers)
    flower = port_from(settings.flower_port, settings.flower_host, besides=frozenset({api}))
    for name, wanted, found in (("API", settings.api_port, api), ("Flower", settings.flower_port, flower)):
        if wanted not in (0, found):
            report(f"port {wanted} is taken: {name} is on {found} ({name.upper()}_PORT chooses another)")
    return Ports(api, free_port(), flower, free_port(), {queue: free_port() for queue in queues()})


def urls(settings: Settings, ports: Ports) -> dict[str, str]:
    """Every address that a person or a scraper may want."""
    api = f"http://{_reachable(settings.api_host)}:{ports.api}"
    metrics = {
        "api": ports.api_metrics,
        "dispatcher": ports.dispatcher,
        **{_worker(queue): port for queue, port in ports.workers.items()},
    }
    return {
        "console": f"{api}/",
        "api": api,
        "docs": f"{api}/docs",
        "openapi": f"{api}/openapi.json",
        "flower": f"http://{_reachable(settings.flower_host)}:{ports.flower}",
        **{f"metrics {name}": f"http://{settings.metrics_host}:{port}/metrics" for name, port in metrics.items()},
    }


def process_specs(settings: Settings, ports: Ports, shared: Mapping[str, str], home: Home) -> tuple[ProcessSpec, ...]:
    """Our processes, those first that others wait for. `shared` is the environment they have in common."""
    grace_seconds = settings.grace_seconds + STOP_SECONDS
    api = ProcessSpec(
        name="api",
        arguments=("-m", "api"),
        environment={**shared, "METRICS_PORT": str(ports.api_metrics)},
        log=home.log("api"),
        ready=_answering(ports.api, "/readyz", settings.api_host),
        port=ports.api,
        grace_seconds=API_STOP_SECONDS,
    )
    flower = ProcessSpec(
        name=FLOWER,
        arguments=("-m", "producers.cli.flower"),
        environment=shared,
        log=home.log("flower"),
        ready=_answering(ports.flower, "/healthcheck", settings.flower_host),
        port=ports.flower,
        grace_seconds=STOP_SECONDS,
    )

    def silent(name: str, port: int, *module: str) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            arguments=("-m", *module),
            environment={**shared, "METRICS_PORT": str(port)},
            log=home.log(name),
            ready=lambda running: running.said(READY_WORDS),
            port=port,
            grace_seconds=grace_seconds,
        )

    workers = [silent(_worker(queue), port, "workers.runtime", queue) for queue, port in ports.workers.items()]
    return (api, *workers, silent("dispatcher", ports.dispatcher, "producers.dispatcher"), flower)


def _answering(port: int, path: str, host: str) -> Callable[[Running], bool]:
    return lambda _: answers(port, path, _reachable(host))


def _worker(queue: str) -> str:
    return f"worker {queue}"


def _reachable(host: str) -> str:
    """Where to connect to a server that listens there: one that listens everywhere is on loopback as well."""
    try:
        return LOOPBACK if ip_address(host).is_unspecified else host
    except ValueError:
        return host
