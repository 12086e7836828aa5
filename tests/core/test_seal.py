"""A sealed document is the one that was written, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.seal import SealBroken, digest_of, seal, unseal

DOCUMENT = b'{"a":1,"b":"two"}'


def test_a_seal_is_a_json_member_in_front_of_the_document() -> None:
    sealed, digest = seal(DOCUMENT, field="digest")
    assert sealed == b'{"digest":"' + digest.encode() + b'","a":1,"b":"two"}'
    assert digest == digest_of(DOCUMENT[1:])
    assert unseal(sealed, field="digest") == (DOCUMENT, digest)


@given(position=st.integers(0, 200), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(position: int, flip: int) -> None:
    sealed = bytearray(seal(DOCUMENT, field="digest", salt=b"x")[0])
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(SealBroken):
        unseal(bytes(sealed), field="digest", salt=b"x")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"digest":"', DOCUMENT, b"\0" * 4096])
def test_what_carries_no_digest_is_refused(data: bytes) -> None:
    with pytest.raises(SealBroken, match="does not start with a digest"):
        unseal(data, field="digest")


@pytest.mark.parametrize("cut", [1, 10, 80])
def test_a_shortened_document_is_refused(cut: int) -> None:
    sealed = seal(DOCUMENT, field="digest")[0]
    with pytest.raises(SealBroken):
        unseal(sealed[:-cut], field="digest")


def test_the_salt_is_covered_too() -> None:
    """This is what makes a chain of two documents."""
    sealed = seal(DOCUMENT, field="chain", salt=b"one")[0]
    with pytest.raises(SealBroken, match="the bytes have"):
        unseal(sealed, field="chain", salt=b"two")


def test_only_an_object_with_members_can_be_sealed() -> None:
    with pytest.raises(AssertionError):
        seal(b"{}", field="digest")
