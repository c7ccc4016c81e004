"""How large the calls of the AI queue's jobs are at most: the jobs keep to it, and estimates are made of it."""

from typing import Final

MAX_PART_CHARACTERS: Final = 60_000
"""Of a text that is read, in one call: about 15,000 tokens. Of more, models overlook what stands in the middle, and their answers
get too long."""
PART_OUTPUT_TOKENS: Final = 16_000
ANALYSIS_OUTPUT_TOKENS: Final = 8_000
INSTRUCTION_BYTES: Final = 4_000
"""What is said beside the text that is read, its schema included."""

MAX_SECTIONS: Final = 30
PLAN_OUTPUT_TOKENS: Final = 4_000
SECTION_OUTPUT_TOKENS: Final = 4_000
"""Where the prompt sets no limit."""
MAX_INPUT_TOKENS: Final = 100_000
"""Of the documents that a section is written from: each section's call has them all."""

MAX_REPAIRS: Final = 2
"""Calls that mend an answer which isn't in its form."""
MAX_CALLS_OF_A_SECTION: Final = 4
"""The first, and those that go on where one was cut at its output limit."""
MAX_TRIES_WHEN_EMPTY: Final = 2
"""Where a model writes nothing."""
