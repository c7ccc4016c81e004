"""A sealed value refuses every way in which values usually leak."""

import copy
import json
import pickle
from collections.abc import Callable

import orjson
import pytest
from pydantic import TypeAdapter

from infrastructure.key_vault.sealed import Sealed

SEALED = Sealed(b"ciphertext")


@pytest.mark.parametrize(
    "leak",
    [
        str,
        "{}".format,
        lambda sealed: f"{sealed:>10}",
        lambda sealed: "%s" % sealed,  # noqa: UP031 - this old way is tried too
        bytes,
        json.dumps,
        orjson.dumps,
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        "-".join,
        lambda sealed: TypeAdapter(str).validate_python(sealed),
        list,
    ],
)
def test_a_sealed_value_becomes_no_text_and_leaves_no_process(leak: Callable[[Sealed], object]) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        leak(SEALED)

    assert "ciphertext" not in str(refused.value).replace("isn't its ciphertext", "")


def test_what_a_debugger_shows_is_its_length_only() -> None:
    assert repr(SEALED) == "<Sealed, 10 bytes>"
    assert repr([SEALED]) == "[<Sealed, 10 bytes>]"


def test_equal_ciphertexts_are_equal() -> None:
    assert Sealed(b"ciphertext") == SEALED
    assert Sealed(b"other") != SEALED
    assert len({SEALED, Sealed(b"ciphertext")}) == 1
