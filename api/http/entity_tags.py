"""Entity tags in conditional requests (RFC 9110, section 13)."""

import re

from api.http import problems

LONGEST_LIST = 2_000

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def tags_in(header: str, given: str | None) -> tuple[str, ...] | None:
    """The entity tags of If-Match or If-None-Match, or `*`; None when it isn't sent. Raises a Refusal (400) for what is
    neither."""
    if given is None:
        return None
    if given.strip() == "*":
        return ("*",)
    tags = tuple(tag.strip() for tag in given.split(",") if tag.strip())
    if not tags or len(given) > LONGEST_LIST or not all(map(_TAG.fullmatch, tags)):
        raise problems.invalid_header(header, 'must be * or entity tags in quotes, such as "3-5f1c"')
    return tags


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this state already, by weak comparison. What isn't a list of tags knows nothing."""
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag.removeprefix("W/") in known or "*" in known
