"""Handles DeliverWebhook: one delivery attempt per run of its job."""

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime

from events.webhooks import WebhookPaused
from infrastructure.ports import Refused, TryLater
from infrastructure.ports.webhooks import Deliveries, DueDelivery, Message, NotReached, Receivers, Sent
from kinds.run import Run
from monitoring.metrics import outgoing as outgoing_metrics
from schemas.problems import Problem
from schemas.webhooks import DeliverWebhook
from workers.webhooks.delivery_policy import Again, Delivered, GiveUp, Pause, judge
from workers.webhooks.receiver_limits import Crowded, ReceiverLimits

logger = logging.getLogger(__name__)

CROWDED_SECONDS = 10.0
CROWDED = Problem.of(
    "webhook-crowded", "Too much is on its way to this webhook", 503, "It goes on as the receiver answers."
)
FORGOTTEN = Problem.of("event-forgotten", "The event isn't kept any more", 410, "Nothing can be sent of it.")


async def deliver_webhook(
    command: DeliverWebhook,
    run: Run,
    *,
    deliveries: Deliveries,
    receivers: Receivers,
    receiver_limits: ReceiverLimits,
    now: Callable[[], datetime],
) -> WebhookPaused | None:
    """None when the event was delivered; WebhookPaused when the webhook is paused instead. Raises TryLater until the attempts
    are spent, and Refused when the event is gone. `now`: the clock that `failing_since` is by. Safe to repeat; the
    receiver may then get the event again."""
    due = await deliveries.due(run.tenant_id, command.delivery_id, run.job_id)
    if due is None:
        return None
    if due.paused:
        await deliveries.put_back(due.id, run.job_id)
        return None
    if due.message is None:
        raise Refused(FORGOTTEN)
    sent = await _send(due, due.message, receivers, receiver_limits)
    return await _settle(due, run, sent, deliveries, now())


async def _send(due: DueDelivery, message: Message, receivers: Receivers, receiver_limits: ReceiverLimits) -> Sent:
    began = time.monotonic()
    try:
        async with receiver_limits.slot_for(due.webhook_id):
            return await receivers.send(message)
    except Crowded:
        raise TryLater(CROWDED, seconds=CROWDED_SECONDS * (1 + random.random()), counted=False) from None
    except Exception as error:  # The attempt's edge: whatever failed here, the webhook's retry schedule applies.
        logger.exception("webhook delivery failed on our side")
        return NotReached(_failed_here(error), time.monotonic() - began)


def _failed_here(error: Exception) -> Problem:
    # The kind of error only: its message may quote what was sent.
    detail = f"{type(error).__name__}, on our side; it is tried again as if the receiver hadn't been reached."
    return Problem.of("delivery-failed", "The event couldn't be sent", 500, detail)


async def _settle(
    due: DueDelivery, run: Run, sent: Sent, deliveries: Deliveries, now: datetime
) -> WebhookPaused | None:
    decision = judge(sent, attempt=run.attempt, failing_since=due.failing_since, now=now, dice=random.random())
    outgoing_metrics.webhook_answered(type(decision).__name__.lower(), sent.seconds)
    match decision:
        case Delivered():
            await deliveries.delivered(due.id, run.job_id, sent)
            return None
        case Pause(problem, reason):
            await deliveries.paused(due.id, run.job_id, sent, problem, reason)
            return WebhookPaused(webhook_id=due.webhook_id, reason=reason)
        case Again(problem, seconds):
            await deliveries.failed(due.id, run.job_id, sent, problem, final=False)
            raise TryLater(problem, seconds=seconds)
        case GiveUp(problem):
            await deliveries.failed(due.id, run.job_id, sent, problem, final=True)
            raise TryLater(problem, seconds=0.0)
