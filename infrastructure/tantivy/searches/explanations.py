"""Turns what Tantivy says about a score into an Explanation."""

import json
from collections.abc import Mapping
from typing import Any

from tantivy import DocAddress, Query, Searcher

from schemas.search import Explanation

MAX_LEVELS = 16
MAX_DETAILS = 50


def explain(searcher: Searcher, wanted: Query, address: DocAddress) -> Explanation:
    """What the hit's score is made of, without what lies too deep to be read."""
    return _explanation(json.loads(wanted.explain(searcher, address).to_json()), MAX_LEVELS)


def _explanation(told: Mapping[str, Any], levels: int) -> Explanation:
    details = (told.get("details") or ())[:MAX_DETAILS] if levels > 1 else ()
    return Explanation(
        value=told["value"],
        description=told["description"],
        details=tuple(_explanation(one, levels - 1) for one in details),
    )
