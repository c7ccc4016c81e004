"""`--watch`, where it is piped: what it shows is printed when it has changed, and no more once it is over."""

from collections.abc import Iterator

import pytest

from producers.cli import ingress
from producers.cli.ingress import print_again
from producers.cli.output import One, Output


def test_what_has_not_changed_is_not_printed_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ingress, "WATCH_SECONDS", 0.0)
    states: Iterator[str] = iter(["queued", "queued", "running", "succeeded"])
    seconds = iter(range(10))

    def look() -> One:
        state = next(states)
        return One({"state": state}, [f"{state}, {next(seconds)}s ago"], over=state == "succeeded")

    last = print_again(look, Output.TABLE)

    assert last.thing == {"state": "succeeded"}
    assert capsys.readouterr().out == "queued, 0s ago\nrunning, 2s ago\nsucceeded, 3s ago\n"
