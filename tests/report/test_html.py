import base64
import io
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from wirelax.report import About, FigureItem, Section, figures, render, write_report

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
    cell = '<td role="cell" class="number" data-label="time per channel">9.1 µs</td>'
    assert f'<th role="rowheader" scope="row">cnn</th>{cell}' in text
    assert '<th role="columnheader" scope="col" class="number">time per channel</th>' in text
    assert "seconds_per_channel" not in text


def test_the_page_says_first_what_is_solved_and_how_to_make_it_again():
    system = SimpleNamespace(
        name="toy", summary="a toy", utility_name="sum_rate", utility_unit="bit/s/Hz", objective="maximise <b>it</b>"
    )
    system.constraints = {"max_power": "p <= P & so on"}
    about = About.of(system, command="wirelax compare toy --methods a,b", seed=0, source="2 random channels")
    text = "".join(Page(render("t", [Section("s")], {"memory_gib": 3}, about)).text)
    for part in ("maximise <b>it</b>", "p <= P & so on", "--methods a,b", "2 random channels", "Seed\n0", "toy: a toy"):
        assert part in text
    assert "memory (GiB)" in text
    system.objective, system.constraints = "", {}
    text = "".join(Page(render("t", [Section("s")], about=About.of(system))).text)
    assert "maximise the sum rate in bit/s/Hz" in text
    assert "Subject to" not in text
    assert "Command" not in text


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
