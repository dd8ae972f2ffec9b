"""Configurations: frozen dataclasses whose fields carry a sentence, a unit and a range."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from wirelax.errors import InputError, unknown_name

__all__ = ["allowed_values", "bounded", "check_config", "float_fields", "override_config", "unit_of_field"]


def bounded(
    default: Any,
    description: str = "",
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[Any, ...] | None = None,
) -> Any:
    """Field of a configuration: a default, a sentence, a unit, and what values it takes.

    Args:
        default: its type is that of the field.
        description: a sentence for ``wirelax describe``.
        unit: of the value.
        low: smallest value.
        high: largest value.
        above: values are larger than this.
        choices: the values it takes, instead of a range.
    """
    limits = {"low": low, "high": high, "above": above, "choices": choices}
    return dataclasses.field(default=default, metadata={**limits, "description": description, "unit": unit})


def check_config(config: Any) -> None:
    """Raise InputError for the first field of a configuration that is out of its range; tracers pass."""
    for spec in dataclasses.fields(config):
        value = getattr(config, spec.name)
        if not _good(value, spec.metadata):
            raise InputError(f"{spec.name} is {value!r}; allowed: {allowed_values(spec)}")


def _good(value: Any, limits: Mapping[str, Any]) -> bool:
    if limits.get("choices") is not None:
        return value in limits["choices"]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return True
    low, high, above = (limits.get(name) for name in ("low", "high", "above"))
    return (
        math.isfinite(value)
        and (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
    )


def allowed_values(spec: dataclasses.Field) -> str:
    """The range of a field in words: ``> 0.0 and <= 1.0``."""
    limits = spec.metadata
    if limits.get("choices") is not None:
        return ", ".join(map(repr, limits["choices"]))
    parts = [
        text.format(limits[name])
        for name, text in (("above", "> {}"), ("low", ">= {}"), ("high", "<= {}"))
        if limits.get(name) is not None
    ]
    if parts:
        return " and ".join(parts)
    return "true or false" if isinstance(spec.default, bool) else "any finite number"


def override_config(config: Any, overrides: Mapping[str, Any]) -> Any:
    """A configuration with some fields replaced; strings are converted to the type of the default.

    Raises:
        InputError: an unknown field (the message lists the valid ones), a value that does not convert, or one
            out of range.
    """
    specs = {spec.name: spec for spec in dataclasses.fields(config)}
    values = {}
    for name, value in overrides.items():
        if name not in specs:
            raise unknown_name("configuration field", name, specs)
        values[name] = _convert(name, value, getattr(config, name))
    new = dataclasses.replace(config, **values)
    check_config(new)
    return new


def _convert(name: str, value: Any, default: Any) -> Any:
    if _is_array(value) or _is_array(default):
        return value  # what derivatives are taken by
    kind = type(default)
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except (TypeError, ValueError, KeyError):
        raise InputError(f"{name} is {value!r}; wanted a value of type {kind.__name__}") from None


def _is_array(value: Any) -> bool:
    """Whether it is an array of JAX, a tracer among them."""
    return hasattr(value, "aval")


def float_fields(config: Any) -> tuple[str, ...]:
    """Names of the fields that hold numbers, not sizes or modes: what may be traced."""
    return tuple(
        spec.name for spec in dataclasses.fields(config) if isinstance(spec.default, float) or _is_array(spec.default)
    )


def unit_of_field(config: Any, name: str) -> str:
    """Unit of a field, empty where it has none."""
    return next(spec.metadata.get("unit", "") for spec in dataclasses.fields(config) if spec.name == name)
