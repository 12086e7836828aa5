"""The pictures of the docs: there, small, and written as pictures are."""

from __future__ import annotations

import struct
import zlib

import pytest

from docs.page_pictures import BYTES_MAX, PICTURES, Picture
from docs.small_picture import png_of
from docs.typed import ROOT

PAGE = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda each: each.name)
def test_a_picture_is_there_shown_and_small(picture: Picture) -> None:
    """Whoever clones the project has every one of them."""
    data = (ROOT / "docs" / picture.name).read_bytes()
    assert len(data) <= BYTES_MAX
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert f"]({picture.name})" in PAGE or picture.name == "dashboard.png"


def test_a_picture_has_its_rows_and_colours() -> None:
    data = png_of(3, bytes([0, 0, 0, 255, 128, 0]), bytes([0, 1, 0, 1, 1, 0]))
    assert struct.unpack(">II", data[16:24]) == (3, 2)
    at, found = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(name + content) == struct.unpack(">I", data[at + 8 + length :][:4])[0]
        found[name] = content
        at += length + 12
    assert found[b"PLTE"] == bytes([0, 0, 0, 255, 128, 0])
    assert zlib.decompress(found[b"IDAT"]) == b"\0\0\1\0" + b"\0\1\1\0"
    assert list(found)[-1] == b"IEND"
