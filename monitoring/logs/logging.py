"""One format for every line a process writes, ours and the libraries', on stderr.

A line is JSON: `time`, `level`, `event`, `logger`, `process`, then what is bound to the work (see `context`), then the
line's own fields. Secrets are masked, and an exception is described by type and place: see `redaction` and `failures`.
"""

import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from monitoring.errors.failures import OUR_PACKAGES, describe_failure, failure_fields, failure_lines, without_messages
from monitoring.logs.context import bound_fields
from monitoring.logs.redaction import loggable_fields, mask

__all__ = ["LogSettingInvalid", "configure", "describe_failure", "formatter"]

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS: Final = ("json", "console")

# Below WARNING these write a line per request or per doorbell, and some put URLs or headers in it.
_TALKATIVE: Final = (
    "azure",
    "celery.app.trace",
    "celery.worker.strategy",
    "elastic_transport",
    "httpcore",
    "httpx",
    "tornado.access",
)
# These come with handlers of their own, which would write each line twice and unmasked.
_SELF_CONFIGURED: Final = (
    "alembic",
    "celery",
    "celery.redirected",
    "celery.task",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)
# What Celery puts into its task lines that may quote a command or an error's message.
_CELERY_CONTENT: Final = frozenset({"args", "kwargs", "exc", "traceback", "return_value"})


class LogSettingInvalid(Exception):
    """LOG_LEVEL or LOG_FORMAT has a value that can't work. The message lists those that do."""


def configure(level: str = "INFO", log_format: str = "json", *, process: str | None = None) -> None:
    """Sends everything this process logs, and what kills it, to stderr in one format. Repeating it replaces the former.

    `level` holds for our own code; libraries never go below INFO, since at DEBUG they print the bodies they send.
    LogSettingInvalid when level or format is unknown.
    """
    number = _level(level)
    handler = _SafeHandler(sys.stderr)
    handler.setFormatter(formatter(log_format, process=process, colors=sys.stderr.isatty()))
    _route_libraries(handler, number)
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    _log_what_kills_the_process()


def formatter(
    log_format: str, *, process: str | None = None, colors: bool = False
) -> structlog.stdlib.ProcessorFormatter:
    """Turns a record of structlog or of the standard library into one line."""
    match log_format:
        case "json":
            render: list[Processor] = [_render_json]
        case "console":
            render = [_error_below, structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time")]
        case _:
            raise LogSettingInvalid(f"LOG_FORMAT can't be {mask(log_format)!r}: use {' or '.join(FORMATS)}")
    return _Formatter(processors=[_Envelope(process), *render])


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        if not isinstance(record.msg, dict):
            # A copy: other handlers, as pytest's, have a right to the original.
            record = logging.makeLogRecord(record.__dict__)
            _withhold_content(record)
        return super().format(record)


class _Envelope:
    """Lays out one line: the fixed fields first, then the bound ones, then its own."""

    def __init__(self, process: str | None) -> None:
        self._process = {} if process is None else {"process": process}

    def __call__(self, logger: WrappedLogger, name: str, event_dict: EventDict) -> EventDict:
        record: logging.LogRecord = event_dict.pop("_record")
        if not event_dict.pop("_from_structlog"):
            event_dict["event"] = without_messages(str(event_dict["event"]))
        error = _error(event_dict.pop("exc_info", None))
        event_dict.pop("stack_info", None)
        line: EventDict = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": event_dict.pop("event", ""),
            "logger": record.name,
            **self._process,
            **bound_fields(),
            **event_dict,
        }
        if error is not None:
            line["error"] = failure_fields(error)
        return loggable_fields(line, describe_failure)


class _SafeHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        # The standard one prints the record's arguments and the error's message, unmasked.
        failed = {"level": "error", "event": "log_line_failed", "logger": record.name, "line": record.lineno}
        error = sys.exc_info()[1]
        if error is not None:
            failed["why"] = describe_failure(error)
        try:
            self.stream.write(orjson.dumps(failed).decode() + "\n")
        except (OSError, ValueError):
            return  # stderr itself is gone, and with it the last place to say so


def _level(level: str) -> int:
    name = level.upper()
    if name not in LEVELS:
        raise LogSettingInvalid(f"LOG_LEVEL can't be {mask(level)!r}: use one of {', '.join(LEVELS)}")
    return logging.getLevelNamesMapping()[name]


def _route_libraries(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in OUR_PACKAGES:
        logging.getLogger(name).setLevel(level)
    for name in _SELF_CONFIGURED:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def _withhold_content(record: logging.LogRecord) -> None:
    """Takes out of a library's record what may quote a document: exceptions, Celery's arguments, a URL's query."""
    if record.name == "asyncio" and isinstance(record.msg, str):
        # Its first line says what happened; the rest is the repr of a future, its exception's message included.
        record.msg = record.msg.partition("\n")[0]
    arguments = record.args
    if isinstance(arguments, dict):
        withheld = _CELERY_CONTENT if record.name.startswith("celery") else frozenset()
        record.args = {name: "-" if name in withheld else _harmless(value) for name, value in arguments.items()}
    elif isinstance(arguments, tuple):
        if record.name == "uvicorn.access":
            arguments = tuple(value.partition("?")[0] if isinstance(value, str) else value for value in arguments)
        record.args = tuple(_harmless(value) for value in arguments)


def _harmless(argument: object) -> object:
    # Celery hands its errors over inside an ExceptionInfo, whose text is the whole traceback.
    error = argument if isinstance(argument, BaseException) else getattr(argument, "exception", None)
    return describe_failure(error) if isinstance(error, BaseException) else argument


def _error(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False | (None, None, None):
            return None
        case _:
            return sys.exc_info()[1]


def _render_json(logger: WrappedLogger, name: str, event_dict: EventDict) -> str:
    return orjson.dumps(event_dict).decode()


def _error_below(logger: WrappedLogger, name: str, event_dict: EventDict) -> EventDict:
    error = event_dict.pop("error", None)
    if isinstance(error, dict):
        event_dict["exception"] = failure_lines(error)
    return event_dict


def _log_what_kills_the_process() -> None:
    def in_main(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
            return
        # Our own errors are written for the operator, and no job is running here.
        reason = {"why": mask(str(error))} if kind.__module__.split(".")[0] in OUR_PACKAGES else {}
        log.critical("process_failed", exc_info=error, **reason)

    def in_thread(hook: threading.ExceptHookArgs) -> None:
        if hook.exc_value is not None and not issubclass(hook.exc_type, SystemExit):
            log.critical("thread_failed", thread=getattr(hook.thread, "name", None), exc_info=hook.exc_value)

    def unraisable(hook: "sys.UnraisableHookArgs") -> None:
        if hook.exc_value is not None:
            log.error("error_ignored_by_python", exc_info=hook.exc_value)

    log = structlog.get_logger("monitoring")
    sys.excepthook = in_main
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
