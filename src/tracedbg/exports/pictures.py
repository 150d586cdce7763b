"""Drawings of sections as pictures for slides: 16:9, as wide as the screen; a long one goes over several, each with the names of its lanes.

Any thread; takes a second.  Needs the extra `pictures` and a font of the system; it must not draw a picture without its text.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tracedbg.model.errors import BadArgument, Failed, NotHere

from .svg import HEAD, ROW

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 1920, 1080
MARGIN = 40
"""Pixels around it: projectors cut edges off."""
MOST = 300
"""Pictures of one recording."""
THEMES = ("light", "dark")
_ZOOM = 2.5
"""At most: a drawing with few lanes would show few rows otherwise."""

_SVG = "http://www.w3.org/2000/svg"
_ROOM = HEIGHT - 2 * MARGIN
_FONTS = {"monospace_family": "DejaVu Sans Mono", "sans_serif_family": "DejaVu Sans", "serif_family": "DejaVu Serif"}
_PROBE = f'<svg xmlns="{_SVG}" width="40" height="40"><text x="5" y="30" font-size="30" font-family="monospace">M</text></svg>'


def pictures(drawings: Mapping[str, str], theme: str = "light") -> dict[str, bytes]:
    """Drawings as PNG files, by names that are those of the drawings with the number of the picture.

    Args:
        drawings: SVG by name; made here, not by a stranger.
        theme: ``light`` or ``dark``.

    Raises:
        BadArgument: there is no such theme.
        NotHere: a package or every font is missing.
        Failed: there would be too many.
    """
    if theme not in ("", *THEMES):
        raise BadArgument("a picture is light or dark", "say --theme light or --theme dark")
    check()
    made: dict[str, bytes] = {}
    for name, drawing in drawings.items():
        for number, slide in enumerate(_slides(drawing), 1):
            if len(made) == MOST:
                raise Failed(f"there would be more than {MOST} pictures", "cut the recording with tracedbg trim, or name one --section")
            made[f"{name}-{number}.png"] = _png(_dark(slide) if theme == "dark" else slide)
    return made


@functools.cache
def check() -> None:
    """The packages are there, and a font is.

    Raises:
        NotHere: something is missing.
    """
    try:
        import PIL.Image  # noqa: F401  # late, as few people make pictures
        import resvg_py  # noqa: F401  # likewise
    except ImportError as error:
        raise NotHere(f"pictures need a package that is not installed: {error}", "pip install 'tracedbg[pictures]'") from None
    if _drawn(_PROBE, 40).convert("L").getextrema() == (255, 255):
        raise NotHere(
            "no font is found on this system, a picture would have no text", "install one (on Debian: apt install fonts-dejavu-core)"
        )


def _drawn(svg: str, width: int) -> Image:
    from PIL import Image
    from resvg_py import svg_to_bytes

    data = svg_to_bytes(svg_string=svg, width=width, background="#ffffff", **_FONTS)  # type: ignore[arg-type]  # a dict of str
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _slides(drawing: str) -> Iterator[Image]:
    """The rows of a drawing, as many on each as fit: all of a long one at once would be gigabytes."""
    from PIL import Image

    root = ET.fromstring(drawing)
    wide, high = int(root.attrib["width"]), int(root.attrib["height"])
    zoom = min((WIDTH - 2 * MARGIN) / wide, _ZOOM)
    fit = int((_ROOM / zoom - HEAD) / ROW)
    rows = max(1, (high - HEAD) // ROW)
    head = _window(root, wide, 0, HEAD, zoom)
    for first in range(0, rows, fit):
        part = _window(root, wide, HEAD + first * ROW, min(fit, rows - first) * ROW, zoom)
        slide = Image.new("RGB", (WIDTH, HEIGHT), "white")
        left = (WIDTH - part.width) // 2
        slide.paste(head, (left, MARGIN))
        slide.paste(part, (left, MARGIN + head.height))
        yield slide


def _window(root: ET.Element, wide: int, top: int, high: int, zoom: float) -> Image:
    """Some rows of a drawing."""
    # Only what is in sight: each row is clipped, which costs as much as a picture, in sight or not.
    shown = ET.Element(root.tag, {"width": f"{wide * zoom:.3f}", "height": f"{high * zoom:.3f}", "viewBox": f"0 {top} {wide} {high}"})
    shown.extend(each for each in root if top - ROW < float(each.get("y", top)) < top + high + ROW)
    return _drawn(ET.tostring(shown, encoding="unicode"), round(wide * zoom))


def _dark(image: Image) -> Image:
    """Light text on a dark ground: brightness turned round, colours kept."""
    from PIL import Image

    luma, blue, red = image.convert("YCbCr").split()
    return Image.merge("YCbCr", (luma.point([round(18 + (255 - value) * 0.92) for value in range(256)]), blue, red)).convert("RGB")


def _png(image: Image) -> bytes:
    out = io.BytesIO()
    # Few colours: a palette makes them a third as large, and no two of a drawing's fall together.
    image.quantize(256).save(out, "PNG")
    return out.getvalue()
