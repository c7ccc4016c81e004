"""How README is taken apart."""

import pytest

from tests.readme.blocks import Command, Unreadable, blocks_of, is_printed

PAGE = """
# Title

```console
$ one 'a
$ two \\
    --more
said …
```

<!-- file: a/b.jsonl -->
```json
{}
```

- In a list:

  <!-- not run: it needs the moon -->

  ```python
  print(1)

  print(2)
  ```
"""


def test_blocks_come_in_order_with_what_is_said_of_each() -> None:
    blocks = blocks_of(PAGE)

    assert [(one.language, one.marker, one.about) for one in blocks] == [
        ("console", "", ""),
        ("json", "file", "a/b.jsonl"),
        ("python", "not run", "it needs the moon"),
    ]
    assert blocks[0].commands == (Command("one 'a"), Command("two \\\n    --more", ("said …",)))
    assert blocks[2].text == "print(1)\n\nprint(2)\n"


@pytest.mark.parametrize(
    "page",
    ["<!-- skip: why not -->\n```console\n$ a\n```", "<!-- not run -->\n```console\n$ a\n```", "```console\n$ a\n"],
)
def test_what_would_be_passed_over_in_silence_is_refused(page: str) -> None:
    with pytest.raises(Unreadable):
        blocks_of(page)


def test_an_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    assert is_printed("queued: … jobs", "first\nqueued: 5 jobs \n")
    assert not is_printed("queued: . jobs", "queued: 5 jobs")
