"""Slides of a recording: as large as a screen, with their text, light and dark, and a clear word where something is missing."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from tests.exports.sample import EVENTS, as_file, recording
from tracedbg.exports import commandline, pictures
from tracedbg.exports.svg import HEAD, sections
from tracedbg.model import events as ev
from tracedbg.model.errors import BadArgument, NotHere

pytestmark = [pytest.mark.needs("pictures")]


def opened(data: bytes):
    from PIL import Image

    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("PNG", (pictures.WIDTH, pictures.HEIGHT))
    return image.convert("L")


def darkest(image, box) -> tuple[int, int]:
    return image.crop(box).getextrema()


@pytest.mark.slow
def test_text_stands_where_the_drawing_has_it_and_dark_is_light_on_dark():
    ((name, drawing),) = sections(recording())
    (light,) = pictures.pictures({name: drawing}).values()
    (dark,) = pictures.pictures({name: drawing}, "dark").values()
    (mute,) = pictures.pictures({name: re.sub(r"<text[^>]*>[^<]*</text>", "", drawing)}).values()
    with_text, without, on_dark = opened(light), opened(mute), opened(dark)
    wide = int(re.search(r'width="(\d+)"', drawing)[1])
    zoom = (pictures.WIDTH - 2 * pictures.MARGIN) / wide
    left = (int(re.search(r'class="x[^"]*" x="(\d+)"', drawing)[1])) * zoom + pictures.MARGIN
    box = (round(left), round(HEAD * zoom) + pictures.MARGIN, pictures.WIDTH, round((HEAD + 30) * zoom) + pictures.MARGIN)
    assert darkest(without, box) == (255, 255)
    assert darkest(with_text, box)[0] < 80
    assert darkest(on_dark, box)[0] < 40
    assert darkest(on_dark, box)[1] > 180
    assert darkest(on_dark, (0, 0, pictures.WIDTH, 10))[1] < 40, "the ground is dark to the edge"


@pytest.mark.slow
def test_a_long_section_goes_over_several_each_with_the_names_of_its_lanes(tmp_path):
    calls = tuple((9000 + at, "tracer", ev.CallReturned("ptrace", ("PTRACE_PEEKUSER", 4242, at, 0), at), 0) for at in range(24))
    path = tmp_path / "one.jsonl"
    path.write_bytes(as_file(recording((*EVENTS[:10], *calls))))
    out = tmp_path / "slides"
    assert commandline.main([str(path), "--to", "png", "--section", "1", "--theme", "light", "-o", str(out)]) == 0
    slides = [opened(each.read_bytes()) for each in sorted(out.iterdir())]
    assert [each.name for each in sorted(out.iterdir())] == [f"01-who-takes-it-{number}.png" for number in range(1, len(slides) + 1)]
    assert len(slides) > 1
    heads = [each.crop((0, 0, pictures.WIDTH, pictures.MARGIN + HEAD)).tobytes() for each in slides]
    assert heads[0] == heads[1]
    assert darkest(slides[1], (0, pictures.MARGIN, pictures.WIDTH, pictures.MARGIN + HEAD))[0] < 80
    with pytest.raises(BadArgument, match="files; name a directory with -o"):
        commandline._deliver({each.name: b"" for each in out.iterdir()}, "", one=True)


def test_what_is_missing_is_named(monkeypatch, tmp_path: Path):
    look = pictures.check.__wrapped__
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "resvg_py", None)
        with pytest.raises(NotHere, match=r"pip install 'tracedbg\[pictures\]'"):
            look()
    monkeypatch.setattr(pictures, "_FONTS", {"skip_system_fonts": True})
    with pytest.raises(NotHere, match="would have no text"):
        look()
    with pytest.raises(BadArgument, match="--theme light or --theme dark"):
        pictures.pictures({}, "blue")
