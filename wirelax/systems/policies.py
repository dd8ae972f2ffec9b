"""From trained weights to methods, the same way for every system."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wirelax.errors import InputError
from wirelax.io import load_shipped
from wirelax.policies import Policy, PolicySolve, PolicySpec
from wirelax.systems.registry import recipes_of
from wirelax.types import Method

__all__ = ["policy_method", "shipped_method", "trained_method"]


def policy_method(
    system: Any,
    name: str,
    summary: str,
    spec: PolicySpec,
    load: Callable[[], Policy],
    *,
    solve: Callable[..., Any] | None = None,
    over: Any = "vmap",
    chunk: int | None = None,
    recipe: str | None = None,
) -> Method:
    """A method that runs a policy, whose weights are loaded when it is first used.

    Args:
        system: whose policy it is.
        name: of the method, as it is asked for.
        summary: one line.
        spec: network, features and head.
        load: gives the policy.
        solve: in place of ``PolicySolve(spec)``.
        over: how that is batched.
        chunk: problems at once.
        recipe: trains it for other sizes, by name; the policy's own by default.
    """

    def state() -> Any:
        policy = load()
        _check_sizes(system, name, policy, recipe or policy.name, spec.sizes)
        return policy.state

    return Method(name=name, summary=summary, solve=solve or PolicySolve(spec), load=state, over=over, chunk=chunk)


def shipped_method(system: Any, name: str, summary: str, recipe: Any, **how: Any) -> Method:
    """A method that runs the weights of a recipe that come with the package."""
    how = {"spec": recipe.spec, "solve": recipe.solve, "over": recipe.over, "recipe": recipe.name, **how}
    return policy_method(system, name, summary, load=lambda: load_shipped(system.name, recipe.name), **how)


def trained_method(system: Any, policy: Policy, name: str | None = None) -> Method:
    """A method that runs a trained policy of this system.

    Raises:
        InputError: it is of another system, or of a recipe that there is not.
    """
    recipes = recipes_of(system)
    if policy.meta.get("system", system.name) != system.name:
        raise InputError(f"the policy {policy.name!r} belongs to {policy.meta['system']!r}, not to {system.name!r}")
    if policy.name not in recipes:
        raise InputError(
            f"{system.name} has no policy {policy.name!r}, only {', '.join(sorted(recipes)) or 'none'}; one of your "
            "own must be added by wirelax.systems.add_recipe (on the command line in a module given as --plugin)"
        )
    recipe = recipes[policy.name]
    name = name or policy.name
    how = {"solve": recipe.solve, "over": recipe.over, "chunk": recipe.chunk}
    return policy_method(system, name, recipe.summary, recipe.spec, lambda: policy, **how)


def _check_sizes(system: Any, name: str, policy: Policy, recipe: str, fields: Sequence[str]) -> None:
    """Raise InputError where the network's shape belongs to other sizes than the system has."""
    trained = policy.meta.get("config", {})
    differing = [field for field in fields if trained.get(field) != getattr(system.config, field)]
    if not differing:
        return
    listed = lambda value: ", ".join(f"{field}={value(field)}" for field in fields)  # noqa: E731
    sizes = " ".join(f"--set {field}={getattr(system.config, field)}" for field in fields)
    raise InputError(
        f"method {name!r} was trained for {listed(trained.get)}, the channels have "
        f"{listed(lambda field: getattr(system.config, field))}; train it for this size: "
        f"wirelax train {system.name} --policy {recipe} {sizes} --out RUN_DIR, and run it as policy:RUN_DIR"
    )
