"""Documents by their nearness in meaning to what is typed, as wordllama's static vectors have it: a text is the mean of its
tokens. Its wheel is no dependency of ours, and its own loader isn't used."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest

from infrastructure.ports.search import IndexedDocument

CHARACTERS: Final = 600
"""Of a text's beginning, behind its title."""
K: Final = 60
"""Of reciprocal rank fusion, as Cormack, Clarke and Büttcher have it (2009)."""

Vectors = npt.NDArray[np.float32]


class Meanings:
    def __init__(self, documents: Sequence[IndexedDocument]) -> None:
        """Skips the test where the wheel isn't installed."""
        found = find_spec("wordllama")
        if found is None or found.origin is None:
            pytest.skip("wordllama isn't installed: `pip install wordllama==0.4.0.post1` has it")
        folder, tokens = Path(found.origin).parent, pytest.importorskip("tokenizers")
        weights = pytest.importorskip("safetensors.numpy").load_file(folder / "weights" / "l2_supercat_256.safetensors")
        self._tokens: Any = tokens.Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        self._tokens.no_truncation()
        self._tokens.no_padding()
        self._weights: Vectors = weights["embedding.weight"].astype(np.float32)
        self._ids = [one.document_id for one in documents]
        self._documents = self._vectors([f"{one.title}\n{one.text[:CHARACTERS]}" for one in documents])

    def nearest(self, text: str, limit: int) -> list[str]:
        """Ids of all documents' nearest, by exact cosines."""
        cosines = self._documents @ self._vectors([text])[0]
        return [self._ids[at] for at in np.argsort(-cosines, kind="stable")[:limit]]

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        encoded = self._tokens.encode_batch(list(texts), add_special_tokens=False)
        vectors: Vectors = np.array([self._weights[one.ids].mean(axis=0) for one in encoded])
        lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / lengths


def fused(*rankings: Sequence[str]) -> list[str]:
    """By the sum of their reciprocal ranks; equals by their ids."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, one in enumerate(ranking, start=1):
            scores[one] = scores.get(one, 0.0) + 1 / (K + rank)
    return sorted(scores, key=lambda one: (-scores[one], one))
