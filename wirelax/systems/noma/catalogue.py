"""What the NOMA system offers, in one line each. Imports nothing heavy."""

from __future__ import annotations

from wirelax.systems.catalogue import Entry

__all__ = ["METHODS", "RECIPES", "SUMMARY"]

SUMMARY = "power allocation and user scheduling in downlink NOMA with imperfect SIC"

_METHOD, _POLICY = "wirelax.systems.noma.methods:method", "wirelax.systems.noma.methods:policy"
METHODS = {
    "interior-point": Entry("powers of the schedule by interior point, multi-start", _METHOD),
    "gradient": Entry("powers of the schedule by gradient ascent, multi-start", _METHOD),
    "swap-matching": Entry("equal powers, users exchanged while the sum rate rises", _METHOD),
    "paus-ip": Entry("interior point and swap matching in turns", _METHOD),
    "joint": Entry("schedule by dynamic programming over a power grid, powers by interior point", _METHOD),
    "max-power": Entry("equal powers over scheduled pairs", _METHOD),
    "random-power": Entry("uniform random powers scaled to the total", _METHOD),
    "dnn": Entry("the paper's DNN, supervised on interior-point labels, repaired", _POLICY),
    "dnn+rate": Entry("that DNN fine-tuned on the sum rate, repaired", _POLICY),
    "dnn+qos": Entry("that DNN with learnt floors, fine-tuned with R_min by primal-dual, repaired", _POLICY),
    "dnn-raw": Entry("dnn as the network gives it, no repair", _POLICY),
    "dnn+rate-raw": Entry("dnn+rate as the network gives it, no repair", _POLICY),
    "dnn+qos-raw": Entry("dnn+qos as the network gives it, no repair", _POLICY),
    "dnn+simplex": Entry("that DNN splitting what R_min leaves over, fine-tuned on the sum rate", _POLICY),
    "equivariant": Entry("one network for any numbers of subchannels and users", _POLICY),
    "paus": Entry("dnn and swap matching in turns", _POLICY),
    "paus-equivariant": Entry("equivariant and swap matching in turns", _POLICY),
}

_RECIPE = "wirelax.systems.noma.recipes:recipe"
RECIPES = {
    "dnn": Entry("the paper's DNN, supervised on interior-point labels", _RECIPE),
    "dnn+rate": Entry("that DNN fine-tuned on the sum rate", _RECIPE),
    "dnn+qos": Entry("that DNN with learnt floors, fine-tuned with R_min by primal-dual", _RECIPE),
    "dnn+simplex": Entry("that DNN splitting what R_min leaves over: feasible by construction", _RECIPE),
    "equivariant": Entry("one network for any numbers of subchannels and users, feasible by construction", _RECIPE),
    **{f"dnn-batch-{size}": Entry(f"dnn with batches of {size}", _RECIPE) for size in (20, 50, 100, 200)},
    **{f"dnn-rate-{rate}": Entry(f"dnn at learning rate {rate}", _RECIPE) for rate in ("0.01", "0.001", "0.0001")},
}
