"""What a stream of all jobs says of itself."""

from typing import Final, Literal

from schemas.model import Model

STREAM_STARTED: Final = "stream.started"
"""The name (`event:`) of the Server-Sent Event that carries a StreamStarted. CloudEvents come without a name."""


class StreamStarted(Model):
    """The first message of a stream that no `Last-Event-ID` was given for. Not a CloudEvent: nothing has happened yet."""

    starts: Literal["now"] = "now"
    detail: str = (
        "Only what happens from now on is sent. To start earlier, send the header Last-Event-ID: the id of an event that "
        "you have, to go on after it, or 0 for the oldest event that is kept. For one job: /api/jobs/{id}/events."
    )
