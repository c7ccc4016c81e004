"""What needs libraries that the client's own wheel does without: there the ingress alone does it."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

from pydantic import JsonValue

try:
    import orjson
except ImportError:

    def json_as_it_is(tree: JsonValue) -> bytes | None:
        """None: the slower way checks the same."""
        return None

else:
    _AS_IT_IS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS

    def json_as_it_is(tree: JsonValue) -> bytes | None:
        """The tree as JSON; None when it has integers beyond 64 bits, or isn't JSON."""
        try:
            return orjson.dumps(tree, option=_AS_IT_IS)
        except TypeError:
            return None


try:
    from cronsim import CronSim, CronSimError
except ImportError:

    def check_cron(text: str) -> None:
        """Nothing."""

else:
    _NOON = datetime(2000, 1, 1, 12, tzinfo=UTC)

    def check_cron(text: str) -> None:
        """Raises a ValueError when it isn't a cron expression, or names no day that ever comes."""
        try:
            next(CronSim(text, _NOON))
        except CronSimError as error:
            raise ValueError(f"isn't a cron expression: {error}") from None
        except StopIteration:
            raise ValueError("names no day that ever comes") from None


def known_zones() -> frozenset[str]:
    """The time zones of the IANA database; none on a machine that doesn't have it."""
    return frozenset(available_timezones())
