"""The unfolded network: symmetries, sizes, feasibility at the edges, and what its rounds see against plain loops."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.policies import PolicySpec
from wirelax.policies.association.features import edge_inputs, link_features
from wirelax.policies.association.heads import AssociationHead, choice_logits, silenced
from wirelax.policies.association.physics import FIRST_SLOPE, outlook
from wirelax.policies.association.starts import BestOfStarts
from wirelax.policies.association.unfolded import UnfoldedNetwork, random_start
from wirelax.problems import is_feasible, make_association_problem
from wirelax.systems import make_problems, sample_channels
from wirelax.systems.hudn.policies import Polished, Specialised
from wirelax.systems.hudn.recipes import without_some

from ..compiling import quick_jit

SMALL = {"num_ues": 12, "num_bss": 9, "num_macro": 2, "side_m": 100, "points_per_side": 20, "num_buildings": 5}
SPEC = PolicySpec(UnfoldedNetwork(rounds=2, width=8, hidden=8, edge=4), link_features, AssociationHead(), (), "none")


@pytest.fixture(scope="module")
def problems():
    system = systems.get("hudn", **SMALL)
    return make_problems(system, sample_channels(system, 4, seed=3))


@pytest.fixture(scope="module")
def problem(problems):
    return jax.tree.map(lambda leaf: leaf[0], problems)


@pytest.fixture(scope="module")
def state(problems):
    return SPEC.init(problems, key=jax.random.key(1))


@quick_jit
def outputs_of(state, problem, start):
    return SPEC.network.apply(state.params, SPEC.inputs(state, problem), start)


@quick_jit
def solved(state, problem, key):
    return BestOfStarts(spec=SPEC, starts=2, updates=3)(state, problem, key)


def plain(gain, macro=None, **more):
    return make_association_problem(np.asarray(gain, float), max_power_w=1.0, noise_w=1.0, macro=macro, **more)


def test_outputs_permute_with_ues_and_with_bss_of_one_tier(state, problem):
    start = random_start(9, key=jax.random.key(5))
    ues = np.random.default_rng(0).permutation(12)
    bss = np.r_[1, 0, 2 + np.random.default_rng(1).permutation(7)]
    moved = replace(
        problem, snr=problem.snr[ues][:, bss], max_power_w=problem.max_power_w[bss], macro=problem.macro[bss]
    )
    wanted, got = outputs_of(state, problem, start), outputs_of(state, moved, start[bss])
    np.testing.assert_allclose(got["logits"], wanted["logits"][ues][:, bss], atol=1e-3)
    np.testing.assert_allclose(got["power"], wanted["power"][bss], atol=1e-3)
    assert np.ptp(wanted["logits"]) > 0.1


def test_a_start_makes_a_difference(state, problem):
    starts = [random_start(9, key=jax.random.key(k)) for k in range(2)]
    first, second = (outputs_of(state, problem, start)["power"] for start in starts)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("ues", [12, 60, 200])
def test_the_same_weights_run_at_other_sizes(state, ues):
    rng = np.random.default_rng(ues)
    problem = plain(10 ** rng.uniform(-1, 6, (ues, 20)), macro=np.arange(20) < 3)
    found = solved(state, problem, jax.random.key(0))
    assert bool(found.feasible)
    assert float(found.utility) > 0


def edge(case):
    gain = 10 ** np.random.default_rng(2).uniform(-1, 5, (5, 4))
    if case == "a UE out of reach":
        gain[2] = 0
    if case == "a BS that reaches nobody":
        gain[:, 1] = 0
    if case == "nobody reaches anybody":
        gain[:] = 0
    if case == "one BS a UE":
        gain = np.vstack([np.diag([1e3, 10.0, 1e5, 1.0]), [0, 0, 0, 1.0]])
    return gain[:1, :1] if case == "one UE and one BS" else gain[:, :1] if case == "one BS" else gain


@pytest.mark.parametrize(
    "case",
    [
        "a UE out of reach",
        "a BS that reaches nobody",
        "nobody reaches anybody",
        "one BS a UE",
        "one BS",
        "one UE and one BS",
    ],
)
def test_the_edges_are_feasible_and_finite(state, case):
    problem = plain(edge(case))
    found = solved(state, problem, jax.random.key(0))
    assert bool(found.feasible), {name: float(v) for name, v in found.violations.items()}
    out_of_reach = np.asarray(problem.snr).max(-1) == 0
    np.testing.assert_array_equal(np.asarray(found.allocation["association"])[out_of_reach], -1)
    outputs = outputs_of(state, problem, jnp.zeros((problem.num_bss, 2)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outputs))


def test_every_thinned_problem_is_feasible(state, problems):
    keys = jax.random.split(jax.random.key(9), 4)
    thinned = jax.vmap(without_some)(problems, keys)
    assert (np.asarray(thinned.snr) == 0).any()
    solve = BestOfStarts(spec=SPEC, updates=5)
    found = quick_jit(jax.vmap(lambda p, k: solve(state, p, k)))(thinned, keys)
    assert np.asarray(found.feasible).all()


def test_one_pass_over_the_links_is_the_layer_that_is_trained(state, problem):
    """The hidden layer of links is written out where there is no gradient to take."""
    inputs, start = SPEC.inputs(state, problem), jnp.zeros((9, 2))
    trained = quick_jit(SPEC.network.clone(training=True).apply)(state.params, inputs, start)
    np.testing.assert_allclose(outputs_of(state, problem, start)["logits"], trained["logits"], atol=1e-4)


def test_more_starts_are_no_worse(state, problem):
    few, many = (BestOfStarts(spec=SPEC, starts=n, updates=0) for n in (1, 4))
    key = jax.random.key(3)
    utility, allocation = quick_jit(many.candidates)(state, problem, key)
    assert float(quick_jit(few)(state, problem, key).utility) == pytest.approx(float(utility[0]), rel=1e-5)
    assert utility.max() >= utility[0]
    each = jax.vmap(problem.violations)(allocation)
    assert bool(jax.vmap(is_feasible)(each).all())


@pytest.mark.slow
def test_adaptation_polish_and_search_are_no_worse_and_feasible(state, problems):
    """From a start with a UE out of reach and a BS that reaches nobody, too."""
    snr = problems.snr.at[0, 3].set(0.0).at[0, :, 2].set(0.0)
    problems, keys = replace(problems, snr=snr), jax.random.split(jax.random.key(2), 4)
    first = BestOfStarts(spec=SPEC)
    adapted = Specialised(spec=SPEC, steps=3, starts=1, settled=2)

    @quick_jit
    def all_of(problem, key):
        ways = (first, Polished(starts=first), adapted, replace(adapted, polish=True, search=2))
        return [way(state, problem, key) for way in ways]

    found = [all_of(jax.tree.map(lambda leaf, n=n: leaf[n], problems), keys[n]) for n in range(2)]
    for each in found:
        assert all(bool(solution.feasible) for solution in each)
        one, polished, trained, searched = (float(solution.utility) for solution in each)
        assert polished >= one * (1 - 1e-5)
        assert trained >= one * (1 - 1e-5)
        assert searched >= one * (1 - 1e-5)
    assert int(found[0][2].allocation["association"][3]) == -1


@pytest.mark.parametrize("fair", [False, True])
def test_the_outlook_is_that_of_plain_loops(fair):
    """Rates of the others, prices, harms and the first-order power, as sums over UEs and BSs."""
    rng = np.random.default_rng(4)
    snr, power = 10 ** rng.uniform(-1, 4, (4, 3)), np.array([0.3, 0.01, 1.0])
    association = np.array([0, 0, 1, 1])
    problem = plain(snr)
    seen = quick_jit(outlook, static_argnames="fair")(
        link_features(problem), jnp.asarray(association), jnp.asarray(power), fair=fair
    )
    on = np.array([0.3, 0.01, 0.0])
    load = np.array([2, 2, 0])

    def others(i, j, without=None):
        return 1 + sum(snr[i, k] * on[k] for k in range(3) if k not in (j, without))

    def value(r):
        return math.log(r + 1e-3) / 2 if fair else r / 5

    rates, slopes, pulls = [], [], []
    for i, j in enumerate(association):
        sinr = snr[i, j] * on[j] / others(i, j)
        rates.append(math.log2(1 + sinr) / load[j])
        slopes.append((1 / (rates[i] + 1e-3) / 2 if fair else 1 / 5) / load[j])
        pulls.append(slopes[i] * sinr / (1 + sinr))
    for j in range(3):
        gain = sum(pulls[i] for i in range(4) if association[i] == j)
        cost = sum(pulls[i] / others(i, association[i]) * snr[i, j] for i in range(4) if association[i] != j)
        alone = min(max(FIRST_SLOPE / cost, 1e-6), 0.9975)
        best = min(max(gain / cost, 1e-6), 0.9975) if load[j] else alone
        assert float(seen.proposal[j]) == pytest.approx(math.log(best / (1 - best)), rel=1e-3, abs=1e-3)
        price = sum(slopes[i] * load[j] * rates[i] for i in range(4) if association[i] == j) / (1 + load[j])
        for i in range(4):
            now = math.log2(1 + snr[i, j] * power[j] / others(i, j))
            assert float(seen.links[2][i, j]) == pytest.approx(value(now / (1 + load[j])) - price, rel=1e-3, abs=1e-3)
            if association[i] == j:
                assert float(seen.harm[i, j]) == 0
                continue
            own = snr[i, association[i]] * on[association[i]]
            rest = others(i, association[i], j)
            harm = slopes[i] * math.log((1 + own / rest) / (1 + own / (rest + snr[i, j] * alone)))
            assert float(seen.harm[i, j]) == pytest.approx(harm, rel=2e-2, abs=1e-3)


def test_inputs_and_logits_have_nothing_of_links_that_are_absent():
    problem = plain(edge("a UE out of reach"))
    inputs = np.asarray(edge_inputs(link_features(problem)))
    assert np.isfinite(inputs).all()
    assert (inputs[2] == 0).all()
    logits = np.asarray(choice_logits(jnp.asarray(np.random.default_rng(0).normal(size=(5, 4))), problem.snr > 0))
    assert np.isneginf(logits[2]).all()
    np.testing.assert_allclose(logits[[0, 1, 3, 4]].mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(logits[[0, 1, 3, 4]].std(-1), 1, rtol=1e-3)


def test_empty_bss_are_silent():
    problem = plain(edge("all"))
    power = silenced(problem, jnp.array([0, 0, 2, 2, 2]), jnp.full(4, 0.5))
    np.testing.assert_array_equal(power, [0.5, 0, 0.5, 0])


@pytest.mark.parametrize("mode", ["joint", "association", "power"])
def test_the_head_decides_what_it_is_asked_for(problem, mode):
    outputs = {"logits": -problem.snr, "power": jnp.zeros(9)}
    allocation = AssociationHead(mode)(outputs, problem)
    strongest = np.asarray(problem.snr).argmax(-1)
    weakest = np.where(np.asarray(problem.snr) > 0, problem.snr, np.inf).argmin(-1)
    np.testing.assert_array_equal(allocation["association"], strongest if mode == "power" else weakest)
    share = np.asarray(problem.power_share(allocation))
    np.testing.assert_allclose(share[share > 0], 1.0 if mode == "association" else 0.5, rtol=1e-6)
