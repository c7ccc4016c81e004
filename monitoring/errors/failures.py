"""Describes failures for logs without quoting content.

An exception's message may quote a document, a prompt or a key: a parser repeats the line it choked on, a database the
row it refused. So a failure is described by its type, its place and the few codes that can hold no text.
"""

import re
import traceback
from collections.abc import Mapping
from errno import errorcode
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Final

OUR_PACKAGES: Final = frozenset(
    {"api", "events", "infrastructure", "monitoring", "producers", "schemas", "workers"},
)
_OUR_ROOT = str(Path(__file__).resolve().parent.parent.parent) + "/"
_CALLERS = ("workers/runtime/", "infrastructure/concurrency/", "concurrent/futures/")
"""Where the functions of jobs are called."""
_MAX_FRAMES = 20
_LONGEST_CHAIN = 5
_SQLSTATE = re.compile(r"[0-9A-Z]{5}", re.ASCII)
_TRACEBACK_STARTS = "Traceback (most recent call last)"
_TRACEBACK_PLACE = re.compile(r'File "([^"\n]{1,500})", line (\d{1,9}), in ([^\n]{1,200})')


def describe_failure(error: BaseException) -> str:
    """One line: type, codes and place, and never a message or a value.

    As in `psycopg.errors.UniqueViolation (sqlstate 23505) at producers/submission/submitter.py:41 in submit`. The place
    is the innermost in our own code, where there is one.
    """
    codes = ", ".join(f"{name} {value}" for name, value in failure_codes(error).items())
    place = _place(error)
    return type_name(error) + (f" ({codes})" if codes else "") + (f" at {place}" if place else "")


def failure_fields(error: BaseException) -> dict[str, object]:
    """The failure's fields for a log line: type, codes, frames with the innermost last, and up to five causes."""
    first, *causes = _chain(error)
    fields: dict[str, object] = {"type": type_name(first), **failure_codes(first), "frames": _frames(first)}
    if causes:
        fields["caused_by"] = [describe_failure(cause) for cause in causes]
    if isinstance(first, BaseExceptionGroup):
        fields["group"] = [describe_failure(part) for part in first.exceptions[:_LONGEST_CHAIN]]
    return fields


def failure_codes(error: BaseException) -> dict[str, str | int]:
    """The error's codes: errno, SQLSTATE, HTTP status."""
    codes: dict[str, str | int] = {}
    if isinstance(error, OSError) and error.errno is not None and error.errno in errorcode:
        codes["errno"] = errorcode[error.errno]
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str) and _SQLSTATE.fullmatch(sqlstate):
        codes["sqlstate"] = sqlstate
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and 100 <= status <= 599:
        codes["status"] = int(status)
    return codes


def type_name(error: BaseException) -> str:
    """The error's type with its module, bare for Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def failure_lines(fields: Mapping[str, object]) -> str:
    """`failure_fields` for a person at a terminal."""
    codes = [f"{name} {fields[name]}" for name in ("errno", "sqlstate", "status") if name in fields]
    lines = [" ".join([str(fields["type"]), *codes])]
    for name, prefix in (("frames", "  at "), ("caused_by", "caused by "), ("group", "together with ")):
        told = fields.get(name)
        lines += [f"{prefix}{one}" for one in told] if isinstance(told, list) else []
    return "\n".join(lines)


def without_messages(text: str) -> str:
    """The text, its traceback reduced to places: libraries paste whole ones, source lines and message included."""
    said, marker, pasted = text.partition(_TRACEBACK_STARTS)
    if not marker:
        return text
    places = [f"{_short(file)}:{line} in {function}" for file, line, function in _TRACEBACK_PLACE.findall(pasted)]
    return f"{said.rstrip()} [traceback: {' > '.join(places[-_MAX_FRAMES:])}]".lstrip()


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while len(chain) < _LONGEST_CHAIN:
        last = chain[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or cause in chain:
            break
        chain.append(cause)
    return chain


def _frames(error: BaseException) -> list[str]:
    return [_told(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)][-_MAX_FRAMES:]


def _place(error: BaseException) -> str | None:
    if (elsewhere := _place_in_another_process(error)) is not None:
        return elsewhere
    places = list(traceback.walk_tb(error.__traceback__))
    ours = [number for number, (frame, _) in enumerate(places) if _is_ours(frame.f_code.co_filename)]
    if not ours:
        return _told(*places[-1]) if places else None
    found = ours[-1]
    # Where a function of somebody else's was called, what is wanted is the place in that function.
    if found + 1 < len(places) and _calls_others(places[found][0].f_code.co_filename):
        found += 1
    return _told(*places[found])


def _place_in_another_process(error: BaseException) -> str | None:
    """`concurrent.futures` brings the traceback of a child process as text, innermost last."""
    if type(error.__cause__).__name__ != "_RemoteTraceback":
        return None
    places = [
        (file, f"{_short(file)}:{line} in {function}")
        for file, line, function in _TRACEBACK_PLACE.findall(str(error.__cause__))
        if not _calls_others(file)
    ]
    own = [place for file, place in places if _is_ours(file)]
    return own[-1] if own else places[-1][1] if places else None


def _told(frame: FrameType, line: int) -> str:
    return f"{_short(frame.f_code.co_filename)}:{line} in {frame.f_code.co_qualname}"


@lru_cache(maxsize=1_000)
def _is_ours(file: str) -> bool:
    """Ours, or of a package of jobs that lies in a folder of its own: neither Python's nor an installed library's."""
    short = _short(file)
    return short.partition("/")[0] in OUR_PACKAGES or (short == file and file.startswith("/"))


def _calls_others(file: str) -> bool:
    return _short(file).startswith(_CALLERS)


@lru_cache(maxsize=1_000)
def _short(file: str) -> str:
    """Paths as a reader knows them: ours from the project's root, a library's from its package."""
    return file.removeprefix(_OUR_ROOT).rpartition("/site-packages/")[2].rpartition("/lib/python3.")[2]
