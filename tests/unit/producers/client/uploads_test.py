"""What is read of a source for each try to send it."""

from io import BytesIO
from pathlib import Path

import pytest

from producers.client.errors import ProblemAnswer, SourceUnreadable
from producers.client.exchange import Reply, Request, exchange
from producers.client.uploads import Form, Upload
from schemas.problems import Problem

AWAY = Reply(503, {}, Problem.of("unavailable", "Away", 503).model_dump_json().encode())


class Once:
    """A stream that can be read once, as a pipe can."""

    def __init__(self, content: bytes) -> None:
        self._content = BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


def test_a_stream_of_which_something_was_read_is_not_sent_again() -> None:
    upload = Upload(Once(b"x" * 100), None, None, None)
    conversation = exchange(Request("POST", "/x", form=Form(files=[("file", upload)]), repeatable=False))
    next(conversation)
    upload.read(10)

    with pytest.raises(ProblemAnswer):
        conversation.send(AWAY)


def test_what_can_be_read_again_begins_where_it_did_and_counts_back(tmp_path: Path) -> None:
    file, counted = tmp_path / "lease.txt", list[int]()
    file.write_bytes(b"0123456789")
    stream = BytesIO(b"0123456789")
    stream.seek(4)
    for source, whole in (
        (file, b"0123456789"),
        (stream, b"456789"),
        (b"01", b"01"),
        ("Überblick", "Überblick".encode()),
    ):
        upload = Upload(source, None, None, counted.append)
        upload.read(2)
        upload.seek(0)
        assert upload.read() + upload.read() == whole
        assert sum(counted) == len(whole)
        counted.clear()


def test_a_file_that_went_away_since_says_so(tmp_path: Path) -> None:
    file = tmp_path / "lease.txt"
    file.write_bytes(b"0123456789")
    upload = Upload(file, None, None, None)
    file.unlink()

    with pytest.raises(SourceUnreadable, match=r"lease\.txt can't be read"):
        upload.read()
