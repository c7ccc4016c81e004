"""Searches the model's whole state space, breadth first, so that what it finds wrong is shown by a shortest history."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

from tests.protocol.model import Limits, Protocol, State, Step, all_ended, beginning
from tests.protocol.rows import illegal_step, wrong_with
from tests.protocol.steps import steps


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong, and how it comes to that."""

    wrong: str
    history: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.wrong}:", *(f"  {at:2}. {told}" for at, told in enumerate(self.history, 1))])


@dataclass(frozen=True, slots=True)
class Searched:
    """The whole of it."""

    states: int
    edges: int
    seconds: float
    found: Found | None
    """None: every property holds in every state and on every step."""

    def __str__(self) -> str:
        return f"{self.states:,} states, {self.edges:,} steps, searched in {self.seconds:.1f} s"


class Space:
    """Every state that can be reached, numbered in the order found, and how each was reached first."""

    def __init__(self) -> None:
        self.numbers: dict[State, int] = {}
        self.reached_by: list[tuple[int, str]] = []
        self.leads_back_to: list[list[int]] = []
        """For each state, those that come to it by a step the system takes by itself."""
        self.ended: list[int] = []
        self.edges = 0

    def number(self, state: State, origin: int, told: str) -> tuple[int, bool]:
        known = self.numbers.get(state)
        if known is not None:
            return known, False
        self.numbers[state] = number = len(self.reached_by)
        self.reached_by.append((origin, told))
        self.leads_back_to.append([])
        if all_ended(state):
            self.ended.append(number)
        return number, True

    def history(self, number: int) -> tuple[str, ...]:
        told: list[str] = []
        while number:
            number, step = self.reached_by[number]
            told.append(step)
        return tuple(reversed(told))


def search(limits: Limits, protocol: Protocol | None = None, *, trust_tokens: bool = False) -> Searched:
    """Goes to the end of the space, or to the first state or step that no history may come to.

    With `trust_tokens` an effect by a token that isn't the job's own is wrong only by what comes of it.
    """
    began = monotonic()
    space = Space()
    found = _unsound(space, limits, protocol or Protocol(), trust_tokens) or _unending(space)
    return Searched(len(space.reached_by), space.edges, monotonic() - began, found)


def _unsound(space: Space, limits: Limits, protocol: Protocol, trust_tokens: bool) -> Found | None:
    """Safety: looks at every state and every step between two."""
    first = beginning(limits)
    space.number(first, 0, "")
    open_states = deque([first])
    while open_states:
        state = open_states.popleft()
        here = space.numbers[state]
        for step in steps(state, limits, protocol):
            space.edges += 1
            if wrong := (None if trust_tokens else _trespass(state, step)) or _wrong_step(state, step):
                return Found(wrong, (*space.history(here), step.told))
            there, is_new = space.number(step.state, here, step.told)
            if not step.fault:
                space.leads_back_to[there].append(here)
            if is_new:
                open_states.append(step.state)
    return None


def _trespass(state: State, step: Step) -> str | None:
    if step.effect_of is None:
        return None
    job, token = step.effect_of
    row = state.rows[job]
    return (
        None if row is not None and row.token == token else f"job {job} is ended by token {token}, which isn't its own"
    )


def _wrong_step(state: State, step: Step) -> str | None:
    for before, after in zip(state.rows, step.state.rows, strict=True):
        if after is not before and after is not None:
            wrong = wrong_with(after) or (illegal_step(before, after) if before is not None else None)
            if wrong:
                return wrong
    return None


def _unending(space: Space) -> Found | None:
    """Liveness: whatever has happened, the system can still end every job by its own steps alone (AG EF).

    No step leads out of a state in which all have ended, or the search above had found it. So any set of states that
    can't be left consists of such states alone, and every history in which no step that is possible again and again is
    put off for ever ends in one: nothing spins without progress.
    """
    can_end = set(space.ended)
    unseen = list(space.ended)
    while unseen:
        for earlier in space.leads_back_to[unseen.pop()]:
            if earlier not in can_end:
                can_end.add(earlier)
                unseen.append(earlier)
    stuck = next((number for number in range(len(space.reached_by)) if number not in can_end), None)
    return None if stuck is None else Found("from here not every job can end", space.history(stuck))
