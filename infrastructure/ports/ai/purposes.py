"""What a model is asked for."""

from enum import StrEnum


class Purpose(StrEnum):
    """What a call is for: the registry names models for each."""

    PLAN = "plan"
    SECTION = "section"
    EXTRACT = "extract"
    REPAIR = "repair"
    CLASSIFY = "classify"
    SCORE = "score"
    COMPARE = "compare"
    TEST = "test"
