import subprocess
import sys

import numpy as np
import pytest

from wirelax.report import figures
from wirelax.report._axes import wrap

BAD = {
    "empty": (lambda: figures.cdf({}, "x"), "mapping is empty"),
    "no samples": (lambda: figures.cdf({"a": []}, "x"), "'a' has nothing to draw: none of its 0"),
    "all NaN": (
        lambda: figures.cdf({"a": [np.nan]}, "x"),
        r"none of its 1 values can be shown \(not a number\)",
    ),
    "all infinite": (lambda: figures.cdf({"a": [np.inf]}, "x"), "no sample is finite"),
    "too many": (lambda: figures.cdf({key: [1.0] for key in "abcdefg"}, "x"), "got 7 curves; at most 6"),
    "no point": (lambda: figures.speed_quality({"a": 1.0, "b": 0.0}, {"a": None, "b": 1.0}), "none of a, b has both"),
    "speed empty": (lambda: figures.speed_quality({}, {}), "mapping is empty"),
    "no positive": (lambda: figures.cdf({"a": [0.0]}, "x", xscale="log"), "no sample is positive"),
    "limits": (lambda: figures.cdf({"a": [1.0]}, "x", xlim=(2, 1)), r"xlim \(2, 1\), want"),
    "width": (lambda: figures.cdf({"a": [1.0]}, "x", width="wide"), "'wide', want one of 'single', 'double'"),
    "scale": (lambda: figures.cdf({"a": [1.0]}, "x", xscale="db"), "'db', want 'linear' or 'log'"),
    "lengths": (
        lambda: figures.lines({"a": ([1, 2], [1])}, "x", "y"),
        r"'a': got arrays of shape \[\(2,\), \(1,\)\]",
    ),
    "lines NaN": (lambda: figures.lines({"a": ([1], [np.nan])}, "x", "y"), "nothing to draw"),
    "lines empty": (lambda: figures.lines({}, "x", "y"), "mapping is empty"),
    "band": (
        lambda: figures.lines({"a": ([1], [1])}, "x", "y", band={"b": ([1], [1])}),
        "band 'b' has no line",
    ),
    "band size": (
        lambda: figures.lines({"a": ([1], [1])}, "x", "y", band={"a": ([1, 2], [1])}),
        "length 1, as its",
    ),
    "history": (lambda: figures.learning_curves({"a": []}, "y"), "none of its 0 values"),
    "triples": (lambda: figures.learning_curves({"a": [(1, 2, 3)] * 2}, "y"), r"'a': .* want pairs"),
    "bars": (lambda: figures.bars({}, "x"), "mapping is empty"),
    "bars NaN": (lambda: figures.bars({"a": np.nan}, "x"), "no value is finite"),
    "bars log": (lambda: figures.bars({"a": 0.0}, "x", log=True), "no value is finite and positive"),
    "reference": (lambda: figures.bars({"a": 1.0}, "x", {"b": 1.0}), "reference 'b' has no bar"),
    "bars width": (lambda: figures.bars({"a": 1.0}, "x", width="wide"), "'wide', want one of"),
    "positions": (lambda: figures.scatter_map([1, 2], [1], "g"), r"positions_m: got shape \(2,\)"),
    "levels": (
        lambda: figures.scatter_map([[1, 2]], [1, 2], "g"),
        r"value_db: got shape \(2,\), want \(1,\)",
    ),
    "levels NaN": (lambda: figures.scatter_map([[1, 2]], [np.nan], "g"), "none of the 1 levels is finite"),
    "map width": (lambda: figures.scatter_map([[1, 2]], [1.0], "g", width="wide"), "'wide', want one of"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_the_users_settings_stay():
    import matplotlib

    with matplotlib.rc_context({"font.size": 21.0, "axes.grid": False}):
        # Reading the key "backend" would itself load one.
        keys = matplotlib.rcParams.keys() - {"backend"}
        before = {key: matplotlib.rcParams[key] for key in keys}
        figure = figures.cdf({"a": [1.0, 2.0]}, "x (W)")
        figures.to_png(figure)
        assert {key: matplotlib.rcParams[key] for key in keys} == before
        assert figure.axes[0].xaxis.label.get_fontsize() == 8.0


def test_imports_are_lazy_and_a_missing_matplotlib_is_explained():
    code = """
import sys
import wirelax.report
assert "matplotlib" not in sys.modules
from wirelax.report import figures
from wirelax.report._axes import wrap
figures.to_png(figures.bars({"a": 1.0}, "x"))
assert "matplotlib.pyplot" not in sys.modules
for name in [name for name in sys.modules if name.startswith("matplotlib")]:
    sys.modules[name] = None
try:
    figures.bars({"a": 1.0}, "x")
except ImportError as error:
    assert "wirelax[report]" in str(error)
else:
    raise SystemExit("no error")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_part_of_a_decade_has_labelled_ticks():
    """A log axis from 1.2 to 1.9 holds neither 1, 2 nor 5."""
    figure = figures.learning_curves({"loss": [(0, 0.0019), (10, 0.0012)]}, "Loss", yscale="log")
    figure.canvas.draw()
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    places = [text.get_position()[1] for text in axes.get_yticklabels() if text.get_text()]
    assert sum(low <= place <= high for place in places) >= 3


def test_long_names_break_after_their_marks():
    assert wrap("trained:dnn+rate@supervised", 1.3) == "trained:dnn+rate@\nsupervised"
    assert wrap("Mean efficiency (Mbit/J)", 1.2) == "Mean efficiency\n(Mbit/J)"
    assert wrap("a long-range thing of words", 0.8) == "a long-range\nthing of\nwords"
