"""What a comparison measures its methods against."""

from types import SimpleNamespace

import numpy as np

from wirelax.report import compare


def result(*utility, feasible=True):
    return SimpleNamespace(utility=np.array(utility), feasible=np.full(len(utility), feasible), seconds=1.0)


def test_the_best_is_feasible_where_something_is():
    results = {"low": result(1.0, 2.0), "broken": result(9.0, 9.0, feasible=False)}
    np.testing.assert_array_equal(compare.best_utility(results), [1.0, 2.0])
    np.testing.assert_array_equal(compare.best_utility({"broken": results["broken"]}), [9.0, 9.0])


def test_errors_are_to_the_best_of_the_methods_shown(monkeypatch, tmp_path):
    shown, draw = {}, compare.figures.cdf

    def cdf(samples, xlabel, **options):
        shown[xlabel] = samples
        return draw(samples, xlabel, **options)

    monkeypatch.setattr(compare.figures, "cdf", cdf)
    system = SimpleNamespace(utility_name="sum_rate", utility_unit="bit/s/Hz")
    results = {"joint": result(8.0, 8.0), "optimum": result(4.0, 2.0), "network": result(3.0, 2.0)}
    compare.comparison_figures(system, results, tmp_path, methods=("optimum", "network"))
    errors = shown["Relative error of the sum rate"]
    assert list(errors) == ["network"]
    np.testing.assert_allclose(errors["network"], [0.25, 0.0])
