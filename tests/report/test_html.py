import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from wirelax.report import FigureItem, Section, figures, render, write_report

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def sections():
    evil = "<script>alert('1')</script> & \"$x\""
    figure = figures.cdf({"a": [1.0, 2.0, 3.0]}, "Energy efficiency (Mbit/J)")
    return [
        Section(evil, evil, [{"method": evil, "count": 3, evil: None}], labels={"count": evil}),
        Section("Figures", ["One.", "Two."], figures=[FigureItem(figure, evil, evil)]),
        Section("Nothing"),
    ]


def test_page_is_balanced_self_contained_and_escaped():
    evil = "<script>alert('1')</script> & \"$x\""
    text = render(evil, sections(), {evil: evil, "cores": 2})
    page = Page(text)
    assert "script" not in page.tags
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(v.startswith(("data:image/png;base64,", "#")) for _, k, v in page.attributes if k in ("src", "href"))
    assert "".join(page.text).count(evil) >= 9
    assert [value for tag, key, value in page.attributes if (tag, key) == ("img", "alt")] == [evil]
    anchors = {value[1:] for _, key, value in page.attributes if key == "href"}
    assert anchors == {value for _, key, value in page.attributes if key == "id"} != set()
    assert page.tags.count("p") == 3


def test_images_from_figures_and_files_are_the_pngs(tmp_path):
    path = figures.save(figures.bars({"a": 1.0}, "Power (W)"), tmp_path / "bars.png")
    page = Page(render("t", [Section("s", figures=[FigureItem(path, "c", "a"), FigureItem(str(path), "c", "a")])]))
    sources = [value for _, key, value in page.attributes if key == "src"]
    assert len(sources) == 2
    data = base64.b64decode(sources[0].removeprefix("data:image/png;base64,"))
    assert data == path.read_bytes()
    width, height = Image.open(io.BytesIO(data)).size
    shown = {key: int(value) for tag, key, value in page.attributes if tag == "img" and key in ("width", "height")}
    assert shown["width"] / shown["height"] == pytest.approx(width / height, rel=0.01)


def test_table_marks_headers_and_numbers():
    text = render("t", [Section("s", rows=[{"method": "cnn", "seconds_per_channel": np.float32(9.1e-6)}])])
    assert '<th scope="row" class="text">cnn</th><td class="number">9.1 us</td>' in text
    assert '<th scope="col" class="number">seconds_per_channel</th>' in text


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="no sections"):
        render("t", [])
    with pytest.raises(ValueError, match="no rows"):
        render("t", [Section("s", rows=[])])
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(ValueError, match=r"x\.png is not a PNG"):
        render("t", [Section("s", figures=[FigureItem(tmp_path / "x.png", "c", "a")])])


def test_write_report(tmp_path):
    path = write_report(tmp_path / "run" / "report.html", "Run – 1", [Section("s", "text")], {"cpu": "x"})
    assert path.read_text(encoding="utf-8") == render("Run – 1", [Section("s", "text")], {"cpu": "x"})
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]
