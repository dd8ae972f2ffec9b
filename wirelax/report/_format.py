"""Numbers as people read them: significant digits, engineering units, a dash for what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["MISSING", "format_number", "format_si", "format_value", "plain", "prefixed_unit", "unit_of"]

MISSING = "–"

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def plain(value: Any) -> Any:
    """Plain Python data (None, bool, int, float, str, list, dict) of a value from NumPy, JAX or Python.

    Raises:
        TypeError: the value is none of these.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    # The exact types: an IntEnum or a str subclass must not leak its own text into a file.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if value is None:
        return None
    raise TypeError(f"got a {type(value).__name__}; a table holds numbers, text, None and lists of these")


def format_number(value: float, digits: int = 4) -> str:
    """A number with `digits` significant digits: ``0.9731``, ``12.50``, ``20,000``, ``3.200e-5``."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if not -4 <= int(exponent) < 6:
        return f"{mantissa}e{int(exponent)}"
    return f"{value:,.{max(0, digits - 1 - int(exponent))}f}"


def format_si(value: float, unit: str, digits: int = 3) -> str:
    """A quantity in engineering form: ``9.1 µs``, ``125 ms``, ``5.12 Mbit/J``; no kiloseconds.

    Args:
        value: the quantity in `unit`.
        unit: symbol of the unit, ``"s"`` or ``"bit/J"``.
        digits: significant digits; trailing zeros go.
    """
    if not math.isfinite(value):
        return format_number(value)
    if value == 0:
        return f"0 {unit}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = min(max(3 * (int(exponent) // 3), -15), 0 if unit == "s" else 12)
    shift = int(exponent) - power
    text = f"{float(mantissa) * 10.0**shift:,.{max(0, digits - 1 - shift)}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {_PREFIXES[power]}{unit}"


def prefixed_unit(largest: float, unit: str) -> tuple[float, str]:
    """Size and symbol of the unit that an axis up to `largest` (in `unit`) reads best in: ``(1e6, "Mbit/J")``."""
    if not math.isfinite(largest) or largest <= 0:
        return 1.0, unit
    power = min(max(3 * (int(f"{largest:e}".split("e")[1]) // 3), -15), 12)
    return 10.0**power, f"{_PREFIXES[power]}{unit}"


def unit_of(column: str) -> str | None:
    """Unit that a column's name stands for: ``"s"`` for ``..._seconds`` and ``seconds_per_...``."""
    return "s" if column.endswith("_seconds") or column.startswith("seconds") else None


def format_value(value: Any, column: str, unit: str | None = None) -> str:
    """Text of one table cell.

    Args:
        value: plain data, see `plain`.
        column: name of the column; fractions lose trailing zeros, seconds get a prefix.
        unit: unit of the column, for the engineering form; default by the column's name.
    """
    unit = unit or unit_of(column)
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(format_value(item, column, unit) for item in value)
    if not isinstance(value, int | float):
        return str(value)
    if unit is not None:
        return format_si(value, unit)
    text = format_number(value)
    fraction = column.endswith(("_fraction", "not_converged")) or column.startswith("violated_")
    if fraction and "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return text
