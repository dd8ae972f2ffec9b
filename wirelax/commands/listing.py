"""``wirelax systems`` and ``wirelax describe``. The former imports nothing heavy."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap
from typing import Any

from wirelax import systems

__all__ = ["describe", "list_systems"]


def list_systems(options: argparse.Namespace) -> int:
    """List systems and methods."""
    found = []
    for name in systems.names():
        summary, methods, policies = systems.listing(name)
        as_list = lambda lines: [{"name": key, "summary": line} for key, line in lines.items()]  # noqa: E731
        found.append({"name": name, "summary": summary, "methods": as_list(methods), "policies": as_list(policies)})
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for entry in found:
        print(f"{entry['name']}: {entry['summary']}")
        for kind, title in (("methods", "methods (solve, compare)"), ("policies", "policies (train)")):
            if entry[kind]:
                print(f"  {title}:")
            for item in entry[kind]:
                print(f"    {item['name']:22} {item['summary']}")
    return 0


def description(name: str) -> dict[str, Any]:
    """Everything there is to know of a system before it is used, as plain data."""
    from wirelax.systems.config import allowed_values

    system = systems.get(name)
    summary, methods, policies = systems.listing(name)
    fields = [
        {
            "name": spec.name,
            "default": spec.default,
            "unit": spec.metadata.get("unit", ""),
            "allowed": allowed_values(spec),
            "description": spec.metadata.get("description", ""),
        }
        for spec in dataclasses.fields(system.config)
    ]
    arrays = [
        {
            "name": spec.name,
            "axes": ["batch", *spec.axes],
            "required": spec.required,
            "in_db": spec.in_db,
            "kind": spec.kind,
            "description": spec.description,
        }
        for spec in system.arrays
    ]
    return {
        "name": name,
        "summary": summary,
        "objective": system.objective,
        "utility": {"name": system.utility_name, "unit": system.utility_unit},
        "constraints": dict(system.constraints),
        "arrays": arrays,
        "fields": fields,
        "methods": dict(methods),
        "policies": dict(policies),
    }


def describe(options: argparse.Namespace) -> int:
    """Objective, constraints, channel arrays, configuration fields and methods of a system."""
    found = description(options.system)
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    print(f"{found['name']}: {found['summary']}\n")
    _entry("objective", found["objective"] or "the problem's utility")
    _entry("written as", f"{found['utility']['name']} {found['utility']['unit']}".strip())
    if found["constraints"]:
        print("\nconstraints")
    for name, line in found["constraints"].items():
        _entry(f"  {name}", line)
    print("\nchannel arrays (.npz, .h5, .mat; the batch axis may be missing for one instance)")
    for array in found["arrays"]:
        optional = "" if array["required"] else "optional. "
        instead = f" Or {array['in_db']}, the same in dB, -inf for 0." if array["in_db"] else ""
        _entry(f"  {array['name']} [{', '.join(array['axes'])}]", optional + array["description"] + instead)
    print("\nconfiguration fields (--set FIELD=VALUE)")
    for field in found["fields"]:
        default = field["default"]
        value = f"{default:g}" if isinstance(default, float) else str(default)
        value = f"{value} {field['unit']}".strip()
        _entry(f"  {field['name']}", f"default {value}; {field['allowed']}. {field['description']}")
    for kind, title in (
        ("methods", "methods (--method, --methods)"),
        ("policies", "policies (wirelax train --policy)"),
    ):
        if found[kind]:
            print(f"\n{title}")
        for name, line in found[kind].items():
            _entry(f"  {name}", line)
    return 0


def _entry(name: str, text: str) -> None:
    """A name and what is said of it, in a hanging paragraph."""
    lines = textwrap.wrap(text, 84)
    head = f"{name:30} " if len(name) < 31 else f"{name}\n{'':31}"
    print(head + f"\n{'':31}".join(lines))
