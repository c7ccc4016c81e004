"""Fingerprints of failures: failures with the same cause have the same fingerprint, whatever the job.

Two details are the same failure when only their numbers, ids and quotations differ.
"""

import re
from hashlib import sha256
from typing import Final

from schemas.problems import Problem

LENGTH: Final = 16
_MAX_CHARACTERS = 500
_REPLACED: Final = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "#"),
    (re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`|“[^”]*”"), "“”"),
    (re.compile(r"[-+]?\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"), "#"),
    (re.compile(r"[-+]?\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)


def fingerprint(kind: str, problem: Problem) -> str:
    """16 hexadecimal digits, the same in every process and version that words its problems alike."""
    return sha256((kind + failure_text(problem)).encode("utf-8", "replace")).hexdigest()[:LENGTH]


def failure_text(problem: Problem) -> str:
    """The text that a fingerprint hashes beside the kind, for SQL statements that add the kind themselves."""
    return f"\n{problem.name}\n{normalised(problem.detail)}"


def normalised(detail: str) -> str:
    """The detail with numbers, ids and quotations replaced."""
    text = detail[:_MAX_CHARACTERS]
    for pattern, put in _REPLACED:
        text = pattern.sub(put, text)
    return text.strip()
