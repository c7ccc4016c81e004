"""Answers of which a client has the same already."""

from api.http.responses import Answer


def unless_known(answer: Answer, if_none_match: str | None) -> Answer:
    """The answer with its ETag; a 304 when `If-None-Match` has that ETag."""
    etag = answer.etag
    known = [] if if_none_match is None else [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    tagged = answer.with_headers((b"etag", etag))
    if etag.decode() in known or "*" in known:
        return Answer(304, headers=tagged.headers)
    return tagged
