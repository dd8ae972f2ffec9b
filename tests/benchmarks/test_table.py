"""The table that ``wirelax bench`` prints."""

import pytest

from benchmarks import to_table
from benchmarks.timing import Timing, add_ratios, row


@pytest.fixture
def rows():
    own = row("ours", Timing(0.3, 0.2, 3, None), 100)
    loop = row("a loop", Timing(0.8, 0.4, 3, None), 2)
    add_ratios(own, [("loop", loop)])
    return [own, loop, {"name": "absent", "unit": "channel", "count": 0, "seconds": None, "notes": "not installed"}]


def test_ratios_are_of_one_unit_best_run_against_best_run(rows):
    own, loop, _ = rows
    assert own["ratio_to_loop"] == loop["times_as_long"] == pytest.approx(0.2 / 0.002)
    assert own["median_ratio_to_loop"] == pytest.approx(0.4 / 0.003)
    assert own["times_as_long"] == 1


def test_every_measured_row_is_a_line(rows):
    header, _, first, second = to_table(rows).splitlines()
    cells = lambda line: [cell.strip() for cell in line.strip("|").split("|")]  # noqa: E731
    assert cells(header)[1:3] == ["item", "time per item (best run)"]
    assert cells(first) == ["ours", "channel", "2 ms", "3 ms", "500.0", "1.000"]
    assert cells(second) == ["a loop", "channel", "200 ms", "400 ms", "5.000", "100.0"]


def test_rows_of_one_unit(rows):
    assert "time per channel (best run)" in to_table(rows, "channel")
    assert "item" not in to_table(rows, "channel")
