import json

import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.report import to_csv, to_json, to_markdown, write_table
from wirelax.report._format import format_number, format_si, format_value, prefixed_unit
from wirelax.report._labels import label_of
from wirelax.types import Status

ROWS = [
    {
        "method": "cnn+ee",
        "count": 20000,
        "utility_mean": 5.1e6,
        "seconds_per_channel": 9.1e-6,
        "within_8_percent": 0.9,
    },
    {"method": "max|power", "count": 20000, "violation_fraction": 3.1e-4, "utility_mean": np.float32("nan")},
]


def strict(text):
    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_json_is_strict_and_every_row_has_the_same_keys_in_order():
    rows = strict(to_json(ROWS))
    order = [
        "method",
        "count",
        "utility_mean",
        "seconds_per_channel",
        "within_8_percent",
        "violation_fraction",
    ]
    assert [list(row) for row in rows] == [order, order]
    assert rows[0]["utility_mean"] == 5.1e6
    assert rows[1]["utility_mean"] is None
    assert rows[1]["seconds_per_channel"] is None


def test_json_takes_numpy_jax_and_nested_values():
    row = {
        "a": np.float64(0.1),
        "b": jnp.int32(3),
        "c": np.array([1.0, np.inf]),
        "d": np.bool_(True),
        "e": Status.INFEASIBLE,
        "f": {"g": (float("-inf"), "µ")},
    }
    want = {"a": 0.1, "b": 3, "c": [1.0, None], "d": True, "e": 1, "f": {"g": [None, "µ"]}}
    (got,) = strict(to_json([row]))
    assert got == want
    assert got["d"] is True


def test_json_names_the_place_of_a_value_it_cannot_write():
    with pytest.raises(TypeError, match=r"row 1, column 'x': got a object"):
        to_json([{"x": 1}, {"x": object()}])


@pytest.mark.parametrize("function", [to_json, to_markdown])
def test_no_rows(function):
    with pytest.raises(ValueError, match="no rows"):
        function([])


def test_csv():
    text = to_csv([*ROWS, {"method": "a, b", "x": [1, None], "utility_mean": True}])
    assert text == (
        "method,count,utility_mean,seconds_per_channel,within_8_percent,violation_fraction,x\n"
        "cnn+ee,20000,5100000.0,9.1e-06,0.9,,\n"
        "max|power,20000,,,,0.00031,\n"
        '"a, b",,True,,,,"[1, null]"\n'
    )


def test_markdown_golden():
    assert to_markdown(ROWS, labels={"within_8_percent": "within 8 %"}, units={"utility_mean": "bit/J"}) == (
        "| method     | channels |       mean | time per channel | within 8 % | infeasible results |\n"
        "| ---------- | -------: | ---------: | ---------------: | ---------: | -----------------: |\n"
        "| cnn+ee     |   20,000 | 5.1 Mbit/J |           9.1 µs |     0.9000 |                  – |\n"
        "| max\\|power |   20,000 |          – |                – |          – |            0.00031 |\n"
    )


def test_no_header_is_a_raw_name():
    assert label_of("seconds_per_channel") == "time per channel"
    assert label_of("violated_max_power") == "break max power"
    assert label_of("rate_p5") == "5th percentile of rates (bit/s/Hz)"
    assert label_of("over_maramp") == "over maramp"
    assert label_of("paper_over_maramp") == "paper: over maramp"
    assert label_of("some_column") == "some column"


def test_markdown_columns():
    text = to_markdown(ROWS, ["count", "method"])
    assert text.splitlines()[0] == "| channels | method     |"
    with pytest.raises(ValueError, match="no row has the column 'nope'; the columns are method, count"):
        to_markdown(ROWS, ["nope"])


def test_failures_are_shown_where_there_are_some():
    header = [to_markdown([{"method": "a", "not_converged": share}]).splitlines()[0] for share in (0.0, None, 0.1)]
    assert ["not converged" in line for line in header] == [False, False, True]
    assert "not_converged" in to_json([{"method": "a", "not_converged": 0.0}])


def test_write_table(tmp_path):
    json_path, markdown_path, csv_path = write_table(ROWS, tmp_path / "new" / "folder")
    assert [json_path.name, markdown_path.name, csv_path.name] == ["table.json", "table.md", "table.csv"]
    assert csv_path.read_text(encoding="utf-8") == to_csv(ROWS)
    assert strict(json_path.read_text(encoding="utf-8"))[0]["method"] == "cnn+ee"
    assert markdown_path.read_text(encoding="utf-8") == to_markdown(ROWS)
    with pytest.raises(TypeError, match="row 0"):
        write_table([{"method": object()}], json_path.parent)
    assert markdown_path.read_text(encoding="utf-8") == to_markdown(ROWS)
    assert sorted(path.name for path in json_path.parent.iterdir()) == ["table.csv", "table.json", "table.md"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.97312, "0.9731"),
        (12.5, "12.50"),
        (123456.0, "123,456"),
        (0.99999, "1.000"),
        (3.2e-5, "3.200e-5"),
        (5.1e6, "5.100e6"),
        (-0.5, "-0.5000"),
        (9999, "9999"),
        (20000, "20,000"),
        (float("nan"), "–"),
        (float("-inf"), "-∞"),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9.1e-6, "s", "9.1 µs"),
        (0.9996e-3, "s", "1 ms"),
        (999.4e-6, "s", "999 µs"),
        (0.125, "s", "125 ms"),
        (4321.0, "s", "4,320 s"),
        (0.0, "s", "0 s"),
        (2e-17, "s", "0.02 fs"),
        (-5.12e6, "bit/J", "-5.12 Mbit/J"),
        (7e15, "Hz", "7,000 THz"),
    ],
)
def test_format_si(value, unit, text):
    assert format_si(value, unit) == text


@pytest.mark.parametrize(
    ("largest", "found"),
    [
        (5.9e6, (1e6, "Mbit/J")),
        (1000.0, (1e3, "kbit/J")),
        (999.0, (1.0, "bit/J")),
        (0.02, (1e-3, "mbit/J")),
        (0.0, (1.0, "bit/J")),
        (float("nan"), (1.0, "bit/J")),
    ],
)
def test_prefixed_unit(largest, found):
    assert prefixed_unit(largest, "bit/J") == found


def test_format_value():
    assert format_value(True, "feasible") == "yes"
    assert format_value(1.0, "violation_fraction") == "1"
    assert format_value(0.05, "violation_fraction") == "0.05"
    assert format_value(0.05, "violated_max_power") == "0.05"
    assert format_value([1, None], "x") == "1, –"
    assert format_value(0.002, "train_seconds") == "2 ms"
