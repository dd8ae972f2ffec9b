"""Resumption through the checkpoints and the log of a run folder on disk."""

import json

import chex
import jax
import optax
import pytest

from wirelax.io import Checkpoints, MetricsLog
from wirelax.policies import MLP, PolicySpec
from wirelax.training import LoopConfig, NetworkMultipliers, fresh, primal_dual, train, utility_objective

from ..policies.test_policies import SumOverEdges, graph_of
from .toy import TABLE, batch_of, positive_power, priced, random_problem

SPECS = {
    "array": TABLE,
    "graph": PolicySpec(SumOverEdges(), graph_of, positive_power, shared_statistics="nodes"),
}


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow if k == "graph" else ()) for k in SPECS])
def test_a_killed_run_resumes_to_the_same_bits(key, tmp_path, kind):
    """x."""
    spec, problem = SPECS[kind], priced([4.0, 2.0], budget=1.0)
    objective = utility_objective(spec)
    if kind == "array":
        multipliers = NetworkMultipliers(network=MLP((4,), 1), inputs=spec.inputs)
        objective = primal_dual(objective, multipliers, optimizer=optax.rmsprop(0.01))
    policy = spec.init(batch_of(problem, priced([1.0, 3.0])), key=key)
    config = LoopConfig(steps=40, chunk=10, checkpoint_every=20)

    def run(folder, stop_at=None):
        def stop(step, metrics):
            if step == stop_at:
                raise Killed

        log, kept = MetricsLog(folder / "metrics.jsonl", "tuned"), Checkpoints(folder / "checkpoints")
        source = fresh(random_problem, 4)
        return train(objective, policy, problem, source, config, checkpoints=kept, log=log, report=stop)

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
    with pytest.raises(Killed):
        run(killed, stop_at=40)
    resumed = run(killed)
    chex.assert_trees_all_equal(jax.device_get(resumed), jax.device_get(run(whole)))
    assert (killed / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()
    steps = [json.loads(line)["step"] for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 40]
