"""Means and spreads over seeds, from rows; and the picture of every training."""

import numpy as np
import pytest

from wirelax.report import figures, study


def row(method, occupied, violation, **more):
    return {"method": method, "count": 50, "occupied": occupied, "violation": violation, **more}


ROWS = [
    row("numerical", 12.0, 0.0, ratio=None),
    row("learned #3", 12.5, 1e-3, ratio=0.9),
    row("learned #4", 13.5, 3e-3, ratio=None),
    row("fixed #3", 14.0, 0.1, ratio=float("nan")),
    row("fixed #4", 15.0, 0.2, ratio=0.5),
]


def test_means_and_spreads():
    numerical, learned, fixed = study.study_rows(ROWS)
    assert [r["method"] for r in (numerical, learned, fixed)] == ["numerical", "learned", "fixed"]
    assert [r["seeds"] for r in (numerical, learned, fixed)] == [1, 2, 2]
    assert learned["occupied"] == 13.0
    assert learned["occupied_std"] == pytest.approx(np.sqrt(0.5))
    assert fixed["violation"] == pytest.approx(0.15)
    assert learned["ratio"] == 0.9  # of the seeds that have one
    assert "ratio_std" not in learned  # of one number there is no spread
    assert numerical["occupied_std"] is None
    assert numerical["ratio"] is None
    assert {r["count"] for r in (numerical, learned, fixed)} == {50}


def test_numbers_of_the_paper_stand_beside_ours():
    lines = study.beside_paper(
        study.study_rows(ROWS), {"learned": {"occupied": 12.26}, "numerical": {"occupied": 12.1}}
    )
    assert lines == [
        "numerical, occupied: paper 12.1, here 12.00.",
        "learned, occupied: paper 12.26, here 13.00 ± 0.71.",
    ]


def test_every_training_is_a_point():
    figure = study.study_figure(ROWS, {"violation": "Share violated", "occupied": "RBs"})
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Share violated", "RBs")
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn == [[[0.0, 12.0]], [[1e-3, 12.5], [3e-3, 13.5]], [[0.1, 14.0], [0.2, 15.0]]]
    assert axes.get_xscale() == "symlog"  # zero is in the picture
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > 0.2


def test_points_over_less_than_two_decades_have_a_linear_axis():
    figure = figures.points({"a": ([1.0, 2.0], [3.0, 4.0])}, "x", "y")
    assert figure.axes[0].get_xscale() == "linear"
    with pytest.raises(ValueError, match="one length"):
        figures.points({"a": ([1.0], [3.0, 4.0])}, "x", "y")
