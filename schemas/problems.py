"""Problems as RFC 9457 defines them."""

from datetime import datetime
from typing import ClassVar, Self

from schemas.model import Model

MAX_TYPE, MAX_TITLE, MAX_DETAIL, MAX_ERROR = 200, 300, 2_000, 300
"""Limits, in characters, of a stored problem."""
MAX_ERRORS = 20
PROBLEM_BASE = "https://bucatini.dev/problems/"
NOT_UNDERSTOOD = "not-understood"
"""The name of the problem that no worker has had the job's kind in its version so far."""


class FieldProblem(Model):
    """An invalid field: its JSON Pointer (RFC 6901) and the reason."""

    pointer: str
    detail: str


class Problem(Model):
    """An RFC 9457 problem. `type` is stable and may be matched on; `detail` is for people and may change."""

    media_type: ClassVar[str] = "application/problem+json"

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()
    retry_after_seconds: float | None = None
    since: datetime | None = None
    """When a lasting problem was first seen."""

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        status: int,
        detail: str = "",
        *,
        errors: tuple[FieldProblem, ...] = (),
        retry_after_seconds: float | None = None,
    ) -> Self:
        """A problem of this product, with the type PROBLEM_BASE + name."""
        return cls(
            type=PROBLEM_BASE + name,
            title=title,
            status=status,
            detail=detail,
            errors=errors,
            retry_after_seconds=retry_after_seconds,
        )

    @property
    def name(self) -> str:
        """The last part of the type, for logs, metrics and tables."""
        return self.type.rsplit("/", 1)[-1]

    def bounded(self) -> Self:
        """The problem with its fields truncated to the limits above; itself if it is within them."""
        errors = tuple(
            error
            if len(error.pointer) <= MAX_ERROR and len(error.detail) <= MAX_ERROR
            else FieldProblem(pointer=error.pointer[:MAX_ERROR], detail=error.detail[:MAX_ERROR])
            for error in self.errors[:MAX_ERRORS]
        )
        cut = {
            "type": self.type[:MAX_TYPE],
            "title": self.title[:MAX_TITLE],
            "detail": self.detail[:MAX_DETAIL],
            "errors": errors,
        }
        changed = {name: value for name, value in cut.items() if value != getattr(self, name)}
        return self.model_copy(update=changed) if changed else self


UNREADABLE = Problem.of(
    "unreadable",
    "What is stored here can't be read",
    500,
    "It is deeper than readers take, or was written by another release. All else goes on.",
)
"""Replaces a stored value that can't be read, so that the rest of the response can be."""
