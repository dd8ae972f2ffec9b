"""What the HetNet system offers, in one line each. Imports nothing heavy."""

from __future__ import annotations

from wirelax.systems.catalogue import Entry

__all__ = ["METHODS", "RECIPES", "SUMMARY"]

SUMMARY = "energy-efficient subchannel and power allocation in a HetNet"

_METHOD, _POLICY = "wirelax.systems.hetnet_ee.methods:method", "wirelax.systems.hetnet_ee.methods:policy"
METHODS = {
    "exhaustive": Entry("every assignment and every power vector of the grid", _METHOD),
    "exhaustive+polish": Entry("then continuous ascent: the benchmark", _METHOD),
    "dinkelbach": Entry("continuous ascent from flat powers, every assignment", _METHOD),
    "gradient": Entry("gradient ascent in log powers from several assignments, any size", _METHOD),
    "max-power": Entry("full budgets, even split, random assignment", _METHOD),
    "random-power": Entry("uniform powers within the budgets, random assignment", _METHOD),
    "dnn": Entry("the paper's DNN, supervised on 20,000 labels", _POLICY),
    "cnn": Entry("the paper's CNN, supervised on 20,000 labels", _POLICY),
    "dnn+ee": Entry("that DNN fine-tuned on the energy efficiency of the same channels", _POLICY),
    "cnn+ee": Entry("that CNN fine-tuned on the energy efficiency of the same channels", _POLICY),
    "dnn+ee+best-of-8": Entry("dnn+ee, all assignments scored by the kernels", _POLICY),
    "cnn+ee+best-of-8": Entry("cnn+ee, all assignments scored by the kernels", _POLICY),
    "equivariant": Entry("learned power steps and local search over assignments, any size", _POLICY),
    "equivariant+refine": Entry("equivariant, then 8 closed-form power steps", _POLICY),
}

_RECIPE = "wirelax.systems.hetnet_ee.recipes:recipe"
RECIPES = {
    **{
        f"{kind}{suffix}": Entry(summary.format(kind.upper()), _RECIPE)
        for kind in ("dnn", "cnn")
        for suffix, summary in (
            ("", "the paper's {}, supervised on exhaustive-search labels"),
            ("-5k", "{} on 5,000 labels"),
            ("-10k", "{} on 10,000 labels"),
            ("+ee", "{} fine-tuned on the energy efficiency"),
        )
    },
    "equivariant": Entry("learned power steps and local search over assignments, endless channels, any size", _RECIPE),
    "conditioned": Entry("powers conditioned on the assignment, endless channels, best of all assignments", _RECIPE),
}
