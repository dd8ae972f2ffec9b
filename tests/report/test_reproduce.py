"""``wirelax reproduce`` on the tiny system: tables, figures and the paper's numbers beside ours."""

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.cli import main
from wirelax.policies import Policy, Standardiser, save_policy
from wirelax.systems.base import PaperFigure, Reproduction, Sweep
from wirelax.types import Method

from ..toy_system import PricedLink


class Published(PricedLink):
    """The tiny system, as if it came from a paper."""

    def reproduction(self, preset):
        return Reproduction(
            count=30,
            train=(),
            train_preset=preset,
            methods=("water-filling", "max-power"),
            groups={"Figure 1": ("water-filling", "max-power")},
            scenarios={"default": {}, "dear power": {"price_per_w": 60.0}},
            sweeps=(
                Sweep(
                    title="Price of power",
                    field="price_per_w",
                    values=(10.0, 30.0, 90.0),
                    methods=("water-filling",),
                    unit="bit/s/Hz/W",
                ),
            ),
            sweep_count=20,
            paper=(
                PaperFigure(
                    quantity="5th percentile", value=1.5, source="Fig. 9", method="max-power", column="net_rate_p5"
                ),
            ),
            notes=("A made-up paper.",),
        )


@pytest.fixture
def published():
    systems.register(Published.name, Published)
    yield Published
    systems._registered.pop(Published.name)


def test_tables_figures_and_page(published, tmp_path, capsys):
    out = tmp_path / "reproduction"
    assert main(["reproduce", published.name, "--out", str(out)]) == 0
    rows = json.loads((out / "table.json").read_text())
    found = [(row["method"], row["scenario"]) for row in rows]
    names = ("water-filling", "max-power")
    assert found == [(name, scenario) for scenario in ("default", "dear power") for name in names]
    assert rows[0]["utility_mean"] > rows[2]["utility_mean"]  # the same channels at a higher price
    assert {path.name for path in out.glob("sweep*.png")} == {"sweep_price-of-power_utility.png"}
    page = (out / "report.html").read_text()
    assert "A made-up paper." in page
    ours = next(row["net_rate_p5"] for row in rows if row["method"] == "max-power")
    assert f"5th percentile: paper 1.5 (Fig. 9), here {ours:.3g}." in page
    assert "Means over 20 channels" in page
    assert "default" in capsys.readouterr().out


def test_infeasible_channels_count_as_zero(published, tmp_path, monkeypatch):
    from wirelax.report import reproduce

    drawn = {}
    monkeypatch.setattr(
        reproduce.figures, "lines", lambda series, x, y, **_: drawn.update({y: series}) or (series, x, y)
    )
    monkeypatch.setattr(reproduce.figures, "save", lambda figure, path: path)
    solve_batch = reproduce.solve_batch

    def half_infeasible(system, method, channels, seed):
        result = solve_batch(system, method, channels, seed=seed)
        half = np.arange(len(result.utility)) % 2 == 0
        result.arrays["feasible"][:] = half
        drawn.setdefault("expected", []).append(float(np.where(half, result.utility, 0).mean()))
        return result

    monkeypatch.setattr(reproduce, "solve_batch", half_infeasible)
    sweep = published().reproduction("quick").sweeps[0]
    reproduce._sweep_section(published(), sweep, 20, 0, tmp_path, lambda line: None, None)
    expected = drawn.pop("expected")
    fraction = drawn.pop("Fraction of channels feasible")["water-filling"][1]
    np.testing.assert_allclose(fraction, 0.5)
    ((label, series),) = drawn.items()
    assert label.startswith("Mean net rate")
    np.testing.assert_allclose(series["water-filling"][1], expected, rtol=1e-6)


def test_values_that_come_with_the_channels_are_solved_at_once(published, tmp_path, monkeypatch):
    """One batch gives what a batch for each value gives."""
    from wirelax.report import reproduce

    batches, drawn = [], []
    solve_batch = reproduce.solve_batch

    def counted(system, method, channels, seed):
        batches.append(len(channels["gain"]))
        return solve_batch(system, method, channels, seed=seed)

    monkeypatch.setattr(reproduce, "solve_batch", counted)
    monkeypatch.setattr(reproduce.figures, "lines", lambda series, x, y, **_: drawn.append(series))
    monkeypatch.setattr(reproduce.figures, "save", lambda figure, path: path)
    sweep = published().reproduction("quick").sweeps[0]
    for each in (sweep, replace(sweep, with_channels=True)):
        reproduce._sweep_section(published(), each, 20, 0, tmp_path, lambda line: None, None)
    assert batches == [20, 20, 20, 60]
    by_value, at_once = drawn
    assert at_once["water-filling"][1][0] > at_once["water-filling"][1][2]
    np.testing.assert_allclose(at_once["water-filling"][1], by_value["water-filling"][1], rtol=1e-6)


def test_sweep_with_lines_and_policies_as_they_were_after_a_stage(published, tmp_path, monkeypatch):
    from wirelax.report import reproduce

    def train_policy(system, recipe, *, directory, **_):
        directory.mkdir(parents=True, exist_ok=True)
        power = {name: {"power_w": jnp.float32(value)} for name, value in {"first": 0.01, "last": 0.02}.items()}
        policies = {
            name: Policy(
                name="net", params=params, standardise=Standardiser(mean=jnp.zeros(4), std=jnp.ones(4)), meta={}
            )
            for name, params in power.items()
        }
        save_policy(directory / "policy-first.msgpack", policies["first"])
        return policies["last"]

    def recipes(system):
        def solve(policy, state, channel, key):
            return system._solution(jnp.full(channel["gain"].shape, policy.params["power_w"]), channel)

        recipe = SimpleNamespace(
            num_labels={"quick": 1}, method=lambda policy: Method("net", "constant power", partial(solve, policy))
        )
        return {"net": recipe}

    monkeypatch.setattr(reproduce, "train_policy", train_policy)
    monkeypatch.setattr(Published, "recipes", property(recipes))
    sweep = Sweep(
        title="Size",
        field="num_subchannels",
        values=(4,),
        methods=("max-power",),
        train=("net@first", "net"),
        resample=True,
        lines={"cheap": {"price_per_w": 1.0}, "dear": {"price_per_w": 100.0}},
    )
    plan = Published().reproduction("quick")
    monkeypatch.setattr(Published, "reproduction", lambda self, preset: replace(plan, sweeps=(sweep,)))
    rows, _ = reproduce.reproduce(
        Published(), tmp_path, preset="quick", seed=0, say=lambda line: None, training_report=None
    )
    of = {(row["scenario"], row["method"]): row["utility_mean"] for row in rows}
    for line, best in (("cheap", "max-power"), ("dear", "trained:net@first")):
        scenario = f"Size: {line}, num_subchannels = 4"
        found = {name: of[scenario, name] for name in ("max-power", "trained:net@first", "trained:net")}
        assert max(found, key=found.get) == best
        assert found["trained:net@first"] != found["trained:net"]


@pytest.mark.parametrize("more", [{"resample": True}, {"train": ("dnn",)}])
def test_a_sweep_in_one_batch_needs_one_system(more):
    with pytest.raises(ValueError, match="'rates': with_channels goes with neither"):
        Sweep(title="rates", field="min_rate", values=(0.1,), methods=("max",), with_channels=True, **more)
