"""Speed against quality: points where the numbers are, labels that can be read."""

import numpy as np
import pytest

from wirelax.report import figures

SECONDS = {
    "optimum": 4e-4,
    "grid": 1.3e-4,
    "max-power": 2e-7,
    "dnn": 3e-6,
    "dnn+rate": 3.1e-6,
    "dnn+rate+refine": 3.2e-6,
    "cnn": 3.2e-6,
    "broken": 1e-6,
}
RATIO = {
    "optimum": 1.0,
    "grid": 0.998,
    "max-power": 0.5,
    "dnn": 0.95,
    "dnn+rate": 0.952,
    "dnn+rate+refine": 0.953,
    "cnn": 0.951,
    "broken": None,
}


@pytest.fixture(scope="module")
def axes():
    return figures.speed_quality(SECONDS, RATIO, {"max-power": 0.123, "dnn": 0.0}).axes[0]


def test_a_point_for_every_method_with_a_ratio(axes):
    points = [tuple(float(v[0]) for v in line.get_data()) for line in axes.lines]
    assert points == [(SECONDS[name], RATIO[name]) for name in SECONDS if name != "broken"]
    texts = [text.get_text() for text in axes.texts if text.get_text()]
    assert sorted(texts) == sorted(
        name + (" (12 % infeasible)" if name == "max-power" else "") for name in SECONDS if name != "broken"
    )
    hollow = [line.get_markerfacecolor() == "none" for line in axes.lines]
    assert hollow == [name == "max-power" for name in SECONDS if name != "broken"]


def test_labels_cover_neither_each_other_nor_a_point(axes):
    figure = axes.figure
    figure.draw_without_rendering()
    texts = [text for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    points = axes.transData.transform([line.get_xydata()[0] for line in axes.lines])
    assert not any(box.contains(*point) for box in boxes for point in points)
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_the_axes_are_logarithmic_in_time_and_stretched_near_one(axes):
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "Ratio to best"
    ticks = {label.get_text() for label in axes.get_xticklabels()}
    assert {"1 µs", "100 µs"} <= ticks
    places = axes.transData.transform([(1e-5, ratio) for ratio in (0.5, 0.9, 0.99, 0.999)])[:, 1]
    assert (np.diff(places) > 20).all()
    assert {"1", "0.95"} <= {label.get_text() for label in axes.get_yticklabels()}


def test_one_point_and_negative_ratios():
    (axes,) = figures.speed_quality({"a": 1e-3}, {"a": 1.0}).axes
    assert axes.get_ylim()[0] < 1.0 < axes.get_ylim()[1]
    (axes,) = figures.speed_quality({"a": 1e-3, "b": 1e-2}, {"a": -3.0, "b": 1.0}).axes
    low, high = axes.get_ylim()
    assert low < -3.0
    assert high > 1.0
