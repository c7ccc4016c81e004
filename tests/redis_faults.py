"""A real Redis brought into each of the states in which it answers and refuses, and back."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.local_stack.servers.loopback import LOOPBACK, free_port
from tests.redis_modes import PASSWORD, SLOTS, Node
from tests.waiting import wait_until

ENDLESS = "while true do end"
IN_THE_WAY = "in-the-way.rdb"
SLOW_TO_LOAD = "key-load-delay 60000\n"
"""Microseconds for each key."""


@dataclass(frozen=True, slots=True)
class Refusing:
    """One way in which Redis refuses: how to bring it about, how to end it, and what is said of it meanwhile."""

    name: str
    inflict: Callable[[Node], None]
    mend: Callable[[Node], None]
    said: str


def _config(**settings: object) -> Callable[[Node], None]:
    def set_them(node: Node) -> None:
        with node.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace("_", "-"), value)

    return set_them


def _replica(node: Node) -> None:
    with node.client() as client:
        client.replicaof(LOOPBACK, str(free_port()))


def _replica_without_data(node: Node) -> None:
    _config(replica_serve_stale_data="no")(node)
    _replica(node)


def _master(node: Node) -> None:
    with node.client() as client:
        client.replicaof("NO", "ONE")


def _save_in_vain(node: Node) -> None:
    # What the new dump would replace is a folder.
    (node.folder / IN_THE_WAY / "something").mkdir(parents=True)
    _config(dbfilename=IN_THE_WAY, save="3600 1")(node)
    with node.client() as client:
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "it could not save")


def _another_password(node: Node) -> None:
    with node.client() as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="pubsub")
        client.client_kill_filter(_type="normal")
    node.password = "another"


def _the_old_password(node: Node) -> None:
    _config(requirepass=PASSWORD)(node)
    node.password = PASSWORD


def _rights(*rules: str) -> Callable[[Node], None]:
    def set_them(node: Node) -> None:
        with node.client() as client:
            client.execute_command("ACL", "SETUSER", "default", *rules)

    return set_them


def _endless_script(node: Node) -> None:
    _config(lua_time_limit=100)(node)
    with node.client() as client:
        client.connection_pool.make_connection().send_command("EVAL", ENDLESS, 0)
        wait_until(lambda: _refuses(node), "the script has run for too long")


def _end_the_script(node: Node) -> None:
    with node.client() as client:
        client.script_kill()


def _load_slowly(node: Node) -> None:
    with node.client() as client:
        # It listens once in 2 MB.
        client.mset({f"bucatini:test:{number}": os.urandom(500_000) for number in range(100)})
        client.shutdown(save=True)
    node.launch(SLOW_TO_LOAD)
    wait_until(lambda: _refuses(node), "it loads its data")


def _until_it_is_loaded(node: Node) -> None:
    wait_until(lambda: not _refuses(node), "it has loaded its data")


def _lose_the_slots(node: Node) -> None:
    with node.client() as client:
        client.execute_command("CLUSTER DELSLOTS", *range(SLOTS))


def serve_the_slots(node: Node) -> None:
    with node.client() as client:
        client.execute_command("CLUSTER ADDSLOTS", *range(SLOTS))


def _refuses(node: Node) -> bool:
    # Without redis-py's own tries, which would wait until it doesn't refuse any more.
    client = redis.Redis(LOOPBACK, node.port, password=node.password, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        client.ping()
    except redis.ResponseError:
        return True
    except redis.BusyLoadingError:
        return True
    except redis.RedisError:
        return False
    finally:
        client.close()
    return False


REFUSING = (
    Refusing("OOM", _config(maxmemory=1), _config(maxmemory=0), "maxmemory"),
    Refusing("READONLY", _replica, _master, "replica"),
    Refusing("MASTERDOWN", _replica_without_data, _master, "replica"),
    Refusing("MISCONF", _save_in_vain, _config(save=""), "disk"),
    Refusing("NOREPLICAS", _config(min_replicas_to_write=1), _config(min_replicas_to_write=0), "replicas"),
    Refusing("NOAUTH", _another_password, _the_old_password, "password"),
    Refusing("NOPERM", _rights("-@list", "-@scripting"), _rights("+@all"), "may not"),
    Refusing("BUSY", _endless_script, _end_the_script, "script"),
    Refusing("LOADING", _load_slowly, _until_it_is_loaded, "loading"),
)
CLUSTERDOWN = Refusing("CLUSTERDOWN", _lose_the_slots, serve_the_slots, "slot")
