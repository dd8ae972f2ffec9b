import io

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from wirelax.report import figures

NAMES = [
    "exhaustive+polish",
    "max-power",
    "random-power",
    "dnn",
    "cnn",
    "policy:a-long-run-name",
]


def draw(figure):
    """Pixels of the figure, [height, width, 3]."""
    return np.asarray(Image.open(io.BytesIO(figures.to_png(figure))).convert("RGB"), dtype=float)


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def samples(size=400):
    rng = np.random.default_rng(0)
    return {name: rng.gamma(5.0 + i, 0.6, size) for i, name in enumerate(NAMES)}


def test_cdf_matches_numpy():
    values = np.random.default_rng(1).integers(0, 20, 300) / 2.0
    figure = figures.cdf({"a": jnp.asarray(values), "b": values + 3}, "Rate (bit/s/Hz)")
    line, other = figure.axes[0].lines
    x, y = line.get_data()
    assert line.get_drawstyle() == "steps-post"
    assert x[-1] == other.get_xdata()[-1] == values.max() + 3  # both run to the right edge
    at = np.linspace(values.min(), values.max(), 101)
    np.testing.assert_allclose(
        y[np.searchsorted(x, at, side="right") - 1], [(values <= t).mean() for t in at], rtol=1e-6
    )
    assert (y[0], y[-1]) == (0.0, pytest.approx(1.0))


def value_at(line, x):
    at, y = line.get_data()
    return y[np.searchsorted(at, x, side="right") - 1]


def test_cdf_on_a_log_axis_counts_zeros_from_the_left_edge_and_never_reaches_infinity():
    series = {"a": [0.0, 0.0, 0.001, np.inf], "best": np.zeros(3), "b": [1e-9, 0.1]}
    axes = figures.cdf(series, "Relative error", xscale="log", xlim=(1e-4, 1.0)).axes[0]
    a, best, b = axes.lines
    assert axes.get_xlim() == (1e-4, 1.0)
    np.testing.assert_allclose([value_at(a, x) for x in (1e-4, 0.9e-3, 1e-3, 1.0)], [0.5, 0.5, 0.75, 0.75])
    np.testing.assert_allclose([value_at(best, x) for x in (1e-4, 1.0)], 1.0)
    np.testing.assert_allclose([value_at(b, x) for x in (1e-4, 0.09, 0.1)], [0.5, 0.5, 1.0])


def test_cdf_states_what_it_drops():
    figure = figures.cdf({"a$": [1.0, np.nan, np.nan, 2.0], "_b": [1.0]}, "x (W)")
    assert legend_texts(figure) == [r"a\$ (2 of 4 not a number)", "_b"]
    assert draw(figure).std() > 5


def test_curves_differ_by_more_than_colour_and_keep_their_look():
    figure = figures.cdf(samples(), "Energy efficiency (Mbit/J)", "Title")
    looks = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines]
    assert len(looks) == len(NAMES)
    assert len({colour for colour, _, _ in looks}) == len({marker for _, _, marker in looks}) == len(NAMES)
    other = figures.cdf({NAMES[3]: [1.0, 2.0]}, "Energy efficiency (Mbit/J)", order=NAMES)
    assert other.axes[0].lines[0].get_color() == looks[3][0]


@pytest.mark.parametrize("width", ["single", "double"])
def test_layout_is_legible_and_the_legend_is_clear_of_the_axes(width):
    figure = figures.cdf(samples(), "Energy efficiency (Mbit/J)", "Title", width=width)
    assert figure.get_size_inches()[0] == {"single": 3.5, "double": 7.2}[width]
    figure.draw_without_rendering()
    axes, legend = figure.axes[0], figure.legends[0]
    assert axes.get_xlabel() == "Energy efficiency (Mbit/J)"
    box = legend.get_window_extent()
    assert not box.overlaps(axes.get_tightbbox())
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    texts = [axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *legend.get_texts()]
    assert min(text.get_fontsize() for text in texts) >= 7.0


def test_log_axis_has_no_small_print():
    figure = figures.cdf({"a": np.logspace(-3.5, 0, 50)}, "Relative error", xscale="log", xlim=(1e-4, 1.0))
    figure.draw_without_rendering()
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"0.0001", "0.01", "1"} <= set(shown)
    figure = figures.lines({"a": ([1, 2], [1e-9, 1.0])}, "SNR (dB)", "Error probability", "log")
    figure.draw_without_rendering()
    assert min(label.get_fontsize() for label in figure.axes[0].get_yticklabels()) * 0.7 >= 7.0 - 1e-9
    figure = figures.bars({"a": 2e-7, "b": 4e-4}, "Time", log=True, unit="s")
    figure.draw_without_rendering()
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"1 µs", "100 µs"} <= set(shown)


def test_lines_with_a_band_and_gaps():
    x = np.arange(5.0)
    figure = figures.lines({"a": (x, x), "b": (x, x + 1)}, "SNR (dB)", "Rate (bit/s/Hz)", "log", {"b": (x, x + 2)})
    axes = figure.axes[0]
    assert len(axes.lines) == 2
    assert len(axes.collections) == 1
    assert np.isnan(axes.lines[0].get_ydata()[0])
    assert legend_texts(figure) == ["a (1 of 5 not shown)", "b"]
    assert axes.get_ylabel() == "Rate (bit/s/Hz)"
    assert draw(figure).std() > 5


def test_learning_curves():
    figure = figures.learning_curves({"loss": [(0, 3.0), (10, 1.0)], "validation": iter([(0, 4.0)])}, "Loss")
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_data(), [[0, 10], [3, 1]])
    assert figure.axes[0].get_xlabel() == "Training step"


def test_bars_with_a_reference():
    figure = figures.bars({"a": 3e-2, "b": 9.1e-6, "c": np.nan}, "Time (s)", {"b": 0.04}, log=True, unit="s")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts if text.get_text()] == ["30 ms", "9.1 µs", "–", "40 ms"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert legend_texts(figure) == ["this run", "paper"]
    ends = [patch.get_x() + patch.get_width() for patch in axes.patches]
    np.testing.assert_allclose(ends[:2], [3e-2, 9.1e-6], rtol=1e-6)
    assert axes.get_xlim()[0] < 9.1e-6
    assert draw(figure).std() > 5


def test_bars_below_zero_and_without_reference():
    figure = figures.bars({"a": -1.0, "b": 2.0, "c": 0.0}, "Gain (dB)")
    assert [text.get_text() for text in figure.axes[0].texts] == ["−1.00", "2.00", "0"]
    assert figure.legends == []


def test_scatter_map():
    rng = np.random.default_rng(3)
    level = np.append(rng.normal(-90, 10, 49), -np.inf)
    sites = {"Macro BS": [[0, 0, 25]], "Small BS": rng.uniform(-50, 50, (3, 2))}
    figure = figures.scatter_map(rng.uniform(-100, 100, (50, 3)), level, "Path gain (dB)", sites, limits_db=(-95, 0))
    assert figure.axes[0].get_xlabel() == "x (m)"
    assert figure.axes[1].get_ylabel() == "Path gain (dB)"
    assert legend_texts(figure) == ["Macro BS", "Small BS", "no level (1 of 50)"]
    assert draw(figure).std() > 5


def test_save(tmp_path):
    path = figures.save(figures.bars({"a": 1.0}, "Power (W)"), tmp_path / "new" / "a.png", dpi=300)
    image = Image.open(path)
    assert image.size[0] == 1050
    assert "Software" not in image.info
    assert np.asarray(image.convert("L")).std() > 5
    assert [item.name for item in path.parent.iterdir()] == ["a.png"]
    figure = figures.bars({"a": 1.0}, "Power (W)")
    for ending, start in ((".pdf", b"%PDF"), (".svg", b"<?xml")):
        written = [figures.save(figure, tmp_path / f"{name}{ending}").read_bytes() for name in "ab"]
        assert written[0].startswith(start)
        assert written[0] == written[1]  # no date
    with pytest.raises(ValueError, match=r"'a\.jpg', want one that ends in \.png, \.pdf, \.svg"):
        figures.save(figure, tmp_path / "a.jpg")
