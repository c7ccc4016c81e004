"""kombu's Redis transport, popping many messages in one round trip (docs/performance.md has what that gains).

Ack emulation is off: leases live in PostgreSQL, and the sweeper publishes a new doorbell for jobs whose message was
lost.
"""

import logging
from collections import defaultdict
from contextlib import suppress
from queue import Empty
from time import monotonic, sleep
from typing import Any, NamedTuple

import orjson
from kombu.transport import redis as stock
from kombu.transport.virtual.base import QoS
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps
from redis.exceptions import RedisError, ResponseError

from infrastructure.celery.keys import SEPARATOR, STEPS_IN_TURN
from infrastructure.celery.liveness import Liveness
from infrastructure.celery.message import MAX_JOBS_IN_A_DOORBELL, SEVERAL_KINDS, is_understood
from infrastructure.celery.window import Window
from infrastructure.redis.address import Discovered
from infrastructure.redis.discovery import FindingConnection
from infrastructure.redis.refusals import reason

MAX_AT_ONCE = 64
WAITED_SECONDS = 0.002
"""A BRPOP that took longer than this found empty lists, so there is most likely nothing behind the doorbell it
returned. Two quick replies in a row mean that doorbells were waiting; a single one may be chance."""
REFUSED_SECONDS = 1.0
"""Pause of BRPOP after Redis refused it."""
ASIDE_SECONDS = 0.00005
"""After a single doorbell Celery's thread yields the interpreter to the jobs' thread, which has just been woken and
sends the claim: it would only go on to send the next BRPOP."""

PUT_BACK_SECONDS = 1.0
"""How long a doorbell of another version is kept before it goes back to its list."""
MAX_PUT_BACK = 1_000
"""Doorbells in a list. Beyond that they are dropped: the fair scheduler publishes their jobs again."""

logger = logging.getLogger(__name__)


class Aside(NamedTuple):
    """A doorbell of a version that this worker can't read."""

    due_at: float
    name: str
    message: bytes


class JobWindow(QoS):
    """Prefetch by jobs where Celery would count messages: see infrastructure/celery/window.py. A channel without a
    prefetch count isn't for jobs, and has no limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held = 0

    def can_consume(self) -> bool:
        return not self.prefetch_count or self._room > 0

    def can_consume_max_estimate(self) -> int | None:
        return self._room if self.prefetch_count else None

    @property
    def _room(self) -> int:
        room: int = self.channel.window.room
        return max(room - self._held, 0)

    def hold(self) -> None:
        """Counts a message that is kept and not delivered against the window."""
        self._held += 1

    def release(self, count: int) -> None:
        self._held -= count

    def restore_unacked(self) -> list[Any]:
        # The sweeper publishes lost doorbells again from PostgreSQL; kombu would write them to a file and leave that
        # behind.
        if lost := super().restore_unacked():
            logger.warning("could not put %d doorbells back; the sweeper publishes them again", len(lost))
        return []


def weight_of(headers: dict[str, Any]) -> int:
    """How many jobs a message carries; other Celery messages count as one."""
    weight = headers.get("jobs")
    return weight if isinstance(weight, int) and weight > 0 else 1


class BulkPopping(stock.Channel):
    """A channel that follows BRPOP with one `RPOP list count` for what else fits into the window, where more doorbells
    are likely to be in the list."""

    sep = SEPARATOR
    priority_steps = sorted(STEPS_IN_TURN)
    ack_emulation = False
    from_transport_options = (*stock.Channel.from_transport_options, "pulse", "window", "address", "kinds")
    address: Discovered | None = None
    kinds: frozenset[str] = frozenset()
    """The kinds that this worker has a task for; empty where no jobs are run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pulse = Liveness()
        self.window = Window()
        self._came_at_once = False
        self._aside: list[Aside] = []
        self._ask_again_at = 0.0
        self._heaviest = 1
        """The most jobs in one doorbell of the last batch."""
        self.listeners: dict[str, int] = {}
        """By broadcast exchange, how many subscribers received its last message."""
        super().__init__(*args, **kwargs)
        self.kinds = frozenset(self.kinds)  # Among the options it is a list, which `celery inspect stats` can show.
        self.QoS = JobWindow

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.address is None:
            return dict(super()._connparams(asynchronous))
        self.connection_class = FindingConnection
        return {**super()._connparams(asynchronous), "address": self.address}

    def _put_fanout(self, exchange: str, message: Any, routing_key: str, **kwargs: Any) -> None:
        if "_publish_batch" in kwargs:
            super()._put_fanout(exchange, message, routing_key, **kwargs)
            return
        with self.conn_or_acquire() as client:
            topics = self._get_publish_topics(exchange, routing_key)
            self.listeners[exchange] = sum(client.publish(topic, dumps(message)) for topic in topics)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self._aside:
            self.put_back()
        # The parent polls the steps in numeric order; ours puts the urgent list before the plain one.
        if monotonic() < self._ask_again_at:
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        keys = [self._q_for_pri(queue, step) for step in STEPS_IN_TURN for queue in queues]
        arguments = ["BRPOP", *keys, timeout or self.brpop_timeout]
        if self.global_keyprefix:
            arguments = self.client._prefix_args(arguments)
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self.pulse.asked()
        self.client.connection.send_command(*arguments)

    def _brpop_read(self, **options: Any) -> bool:
        connection = self.client.connection
        try:
            try:
                popped = self.client.parse_response(connection, "BRPOP", **options)
                self.pulse.answered()
                if not popped:
                    raise Empty
                name, first = popped
                message = orjson.loads(first)
                raw = [first, *self._pop_more(connection, name, message)]
                messages = [message, *map(orjson.loads, raw[1:])]
                self._heaviest = max(weight_of(one["headers"]) for one in messages)
            except ResponseError as refusal:
                self._wait_for_redis(refusal)
                raise Empty from None
            except self.connection_errors:
                connection.disconnect()
                raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        queue = bytes_to_str(name).split(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        for message, text in zip(messages, raw, strict=True):
            headers = message["headers"]
            if not is_understood(headers):
                self._set_aside(bytes_to_str(name), text)
                continue
            if self.kinds and "bell" in headers and headers["task"] not in self.kinds:
                # Celery would drop it. The claim leaves its jobs for a worker that knows the kind.
                headers |= {"shadow": headers.get("shadow", headers["task"]), "task": SEVERAL_KINDS}
            self.connection._deliver(message, queue)
        if len(messages) == 1:
            sleep(ASIDE_SECONDS)
        return True

    def _set_aside(self, name: str, message: bytes) -> None:
        if not self._aside:
            logger.warning("put doorbells of an unknown version aside, for a newer worker")
        self._aside.append(Aside(monotonic() + PUT_BACK_SECONDS, name, message))
        self.qos.hold()

    def put_back(self, *, all_of_them: bool = False) -> None:
        """Puts doorbells of other versions that are due back at the end of their list, where another worker finds
        them."""
        now = monotonic()
        due = [one for one in self._aside if all_of_them or one.due_at <= now]
        if not due:
            return
        self._aside = self._aside[len(due) :]
        self.qos.release(len(due))
        messages: dict[str, list[bytes]] = defaultdict(list)
        for one in due:
            messages[one.name].append(one.message)
        try:
            with self.conn_or_acquire() as client:
                for name, some in messages.items():
                    if (room := MAX_PUT_BACK - client.llen(name)) > 0:
                        client.lpush(name, *some[:room])
        except self.connection_errors:
            logger.warning("could not put %d doorbells back; the sweeper publishes them again", len(due))

    def close(self) -> None:
        self._closing = True
        if self._in_poll:
            # The parent reads it too, but later: this BRPOP would pop the doorbells that are put back here.
            with suppress(Empty):
                self._brpop_read()
        if not self.closed:
            self.put_back(all_of_them=True)
        super().close()

    def _wait_for_redis(self, refusal: ResponseError) -> None:
        """Redis refused BRPOP. Pauses and reconnects, since another server may have taken over at its address. What
        else uses this channel, such as an operator's commands, is undisturbed."""
        self._ask_again_at = monotonic() + REFUSED_SECONDS
        self.pulse.refused(reason(refusal))
        self.client.connection.disconnect()

    def _size(self, queue: str) -> int:
        # Not in a transaction as in kombu: a full Redis refuses MULTI, so the workers that empty it could never start.
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as commands:
            for step in self.priority_steps:
                commands.llen(self._q_for_pri(queue, step))
            return sum(commands.execute())

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except ResponseError as refusal:
            # Doorbells are pushed by list name. Only a reply to an operator may need the binding, until it is made
            # anew.
            logger.warning("could not bind the queue '%s': %s", queue, reason(refusal))

    def _pop_more(self, connection: Any, name: bytes, first: dict[str, Any]) -> list[bytes]:
        # Assumes that the next doorbells carry about as many jobs as this one or the last batch.
        weight = weight_of(first["headers"])
        room = self.qos.can_consume_max_estimate()
        count = MAX_AT_ONCE if room is None else min((room - weight) // max(weight, self._heaviest), MAX_AT_ONCE)
        # A wrong guess costs one more BRPOP, which returns them.
        waiting = self._came_at_once
        self._came_at_once = self._brpop_sent_at is None or monotonic() - self._brpop_sent_at <= WAITED_SECONDS
        if count <= 0 or (weight < MAX_JOBS_IN_A_DOORBELL and not (waiting and self._came_at_once)):
            return []
        connection.send_command("RPOP", f"{self.global_keyprefix or ''}{bytes_to_str(name)}", count)
        try:
            more: list[bytes] | None = self.client.parse_response(connection, "RPOP")
        except ResponseError:
            return []  # The first doorbell has been popped all the same; the next BRPOP meets the same error.
        return more or []


class Poller(stock.MultiChannelPoller):
    """Reads every reply. kombu leaves one unread while the worker is full: a doorbell that Redis has already popped
    would wait there for a slot, though another worker is free. Ours hands back what it can't start soon."""

    def _update_brpop_polling(self) -> None:
        pass

    def on_readable(self, fileno: int) -> None:
        channel, kind = self._fd_to_chan.get(fileno, (None, ""))
        if channel is not None and kind == "BRPOP" and channel._in_poll:
            channel.handlers[kind]()
        else:
            super().on_readable(fileno)


class Transport(stock.Transport):
    """Treats every error of Redis as an outage to wait for, never as a reason to end the worker."""

    Channel = BulkPopping
    connection_errors = (*stock.Transport.connection_errors, RedisError)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        super().register_with_event_loop(connection, loop)
        # A worker that is full of such doorbells sends no BRPOP, so a timer puts them back.
        if (before := getattr(self.cycle, "put_back_timer", None)) is not None:
            before.cancel()
        self.cycle.put_back_timer = loop.call_repeatedly(PUT_BACK_SECONDS, self._put_back)

    def _put_back(self) -> None:
        for channel in list(self.cycle._channels):
            channel.put_back()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
