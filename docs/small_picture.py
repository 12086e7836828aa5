"""A screenshot with at most 256 colours: a third of its bytes, and nobody sees the difference.

Owns the choice of colours and the file that is written (PNG, www.w3.org/TR/png-3). The browser that
made the screenshot also reads it: it has a decoder, and we need no library for pictures.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.dashboard.chromium import Chromium

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_READ: Final = """
(async () => {
  const ALIKE = 200;
  const image = await createImageBitmap(await (await fetch("data:image/png;base64,%s")).blob());
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const parts = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const apart = (one, other) => one.reduce((sum, part, at) => sum + (part - other[at]) ** 2, 0);
  // Shades of one edge are many and alike: they must not take the places of colours that are rare.
  const palette = [];
  for (const [colour] of [...counts].sort((a, b) => b[1] - a[1])) {
    if (palette.length === 256) break;
    const own = parts(colour);
    const isKnown = palette.some((other) => apart(parts(other), own) < ALIKE);
    if (palette.length < 16 || !isKnown) palette.push(colour);
  }
  const known = new Map(palette.map((colour, index) => [colour, index]));
  const all = palette.map(parts);
  const nearest = (pixel) => {
    const own = parts(pixel);
    let best = 0, least = Infinity;
    all.forEach((other, index) => {
      const far = apart(own, other);
      if (far < least) [best, least] = [index, far];
    });
    known.set(pixel, best);
    return best;
  };
  const places = new Uint8Array(pixels.length);
  pixels.forEach((pixel, at) => (places[at] = known.get(pixel) ?? nearest(pixel)));
  let text = "";
  for (let at = 0; at < places.length; at += 32768)
    text += String.fromCharCode(...places.subarray(at, at + 32768));
  return { width, height, palette: all.flat(), places: btoa(text) };
})()
"""


def small(browser: Chromium, png: bytes) -> bytes:
    """Return a screenshot in its 256 most frequent colours; the others become the nearest.

    Args:
        browser: Reads it; whatever it shows is left.
        png: The screenshot.
    """
    browser.call("Page.navigate", url="about:blank")
    browser.expect_that("location.href === 'about:blank'")
    found = browser.promised(_READ % base64.b64encode(png).decode())
    places = base64.b64decode(found["places"])
    return png_of(found["width"], bytes(found["palette"]), places)


def png_of(width: int, palette: bytes, places: bytes) -> bytes:
    """Return a picture as PNG.

    Args:
        width: Of a row, pixels.
        palette: Red, green and blue of each colour, at most 256.
        places: The place of each pixel's colour in the palette, row by row.
    """
    height = len(places) // width
    rows = (places[at : at + width] for at in range(0, len(places), width))
    data = b"".join(b"\0" + row for row in rows)  # no filter: places are no amounts
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(data, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check
