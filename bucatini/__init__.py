"""What a package of jobs is written with. See README, "Your own jobs".

from bucatini import Command, DomainEvent, Run, job
"""

from events.envelope import DomainEvent
from infrastructure.ports import Away, Refused, TryLater, Unavailable
from infrastructure.settings import Settings
from kinds.declaration import JobFunction, JobInvalid, job
from kinds.run import AwaitChildren, Child, Run, RunEnded, Then
from schemas.commands import Command, Jitter, RetryPolicy
from schemas.problems import Problem

__all__ = [
    "AwaitChildren",
    "Away",
    "Child",
    "Command",
    "DomainEvent",
    "Jitter",
    "JobFunction",
    "JobInvalid",
    "Problem",
    "Refused",
    "RetryPolicy",
    "Run",
    "RunEnded",
    "Settings",
    "Then",
    "TryLater",
    "Unavailable",
    "job",
]
