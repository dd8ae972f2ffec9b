"""The map of who serves whom."""

import io

import numpy as np
import pytest
from PIL import Image

from wirelax.report import figures

UES = np.array([[0.0, 0.0], [10.0, 5.0], [40.0, 30.0], [90.0, 80.0]])
SITES = np.array([[20.0, 20.0, 25.0], [80.0, 70.0, 10.0], [50.0, 90.0, 10.0]])
MACRO = np.array([True, False, False])


def lines_of(panel):
    return [
        np.asarray(segment)
        for collection in panel.collections
        for segment in getattr(collection, "get_segments", list)()
    ]


def test_every_ue_is_joined_to_its_bs_and_silent_bss_are_told_apart():
    decisions = {"before": (np.array([0, 0, 0, 1]), np.ones(3)), "after": (np.array([0, 1, 2, -1]), [1.0, 0.0, 0.3])}
    figure = figures.association_map(UES, SITES, MACRO, decisions, boxes_m=[[0, 0, 5, 5]])
    before, after = figure.axes
    assert [before.get_title(), after.get_title()] == ["before", "after"]
    assert len(lines_of(before)) == 4
    ends = {tuple(map(tuple, line)) for line in lines_of(after)}
    assert ends == {((0.0, 0.0), (20.0, 20.0)), ((10.0, 5.0), (80.0, 70.0)), ((40.0, 30.0), (50.0, 90.0))}
    told = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"macro BS", "small BS", "small BS, silent", "UE to a silent BS", "UE out of reach", "UE"} <= told
    assert len(before.patches) == len(after.patches) == 1
    image = np.asarray(Image.open(io.BytesIO(figures.to_png(figure))).convert("RGB"), float)
    assert image.std() > 10


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="there is no decision"):
        figures.association_map(UES, SITES, MACRO, {})
    with pytest.raises(ValueError, match=r"'a': got an association of shape \(3,\) .* want \(4,\) and \(3,\)"):
        figures.association_map(UES, SITES, MACRO, {"a": (np.zeros(3, int), np.ones(3))})
