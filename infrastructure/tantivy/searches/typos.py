"""Words that one typing error turns into another."""

from collections.abc import Iterator

SHORTEST, LONGEST = 4, 24
"""A shorter word with one letter changed is usually another word; a longer one has too many neighbours to look up."""

# By the script's first and last letter: folding leaves these without accents.
_ALPHABETS = {
    "latin": "abcdefghijklmnopqrstuvwxyz0123456789",
    "greek": "αβγδεζηθικλμνξοπρςστυφχψω",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґў",
}


def one_typo_away(word: str) -> Iterator[str]:
    """Every word that one letter left out, added, changed or swapped with its neighbour turns into this one.

    None for a word that is too short or too long; letters are added and changed within the word's own script only.
    """
    if not SHORTEST <= len(word) <= LONGEST:
        return
    letters = _alphabet_of(word)
    seen = {word}
    for typo in _edits(word, letters):
        if typo not in seen:
            seen.add(typo)
            yield typo


def _edits(word: str, letters: str) -> Iterator[str]:
    for at in range(len(word) + 1):
        head, tail = word[:at], word[at:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in letters:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def _alphabet_of(word: str) -> str:
    return next((letters for letters in _ALPHABETS.values() if any(letter in letters for letter in word)), "")
