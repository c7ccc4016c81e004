"""Content-Type of an upload."""

import re
from typing import Final

from api.http import document_problems
from api.uploads.file_names import parameters_of

LONGEST: Final = 256
MULTIPART: Final = "multipart/form-data"
DEFAULT: Final = "application/octet-stream"
"""Says nothing: the content is recognised in any case."""

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


def media_type_of(content_type: str) -> str:
    """The media type in lowercase, without parameters. Raises a Refusal (415) when there is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if len(content_type) > LONGEST or not _MEDIA_TYPE.fullmatch(kind):
        raise document_problems.unsupported_upload()
    return kind


def boundary_of(content_type: str) -> str:
    """The boundary of a form. Raises a Refusal (400) when there is none."""
    boundary = parameters_of(content_type)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise document_problems.malformed_upload("The Content-Type of the form names no boundary (RFC 2046)")
    return boundary
