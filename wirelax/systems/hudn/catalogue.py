"""What the ultra-dense network offers, in one line each. Imports nothing heavy."""

from __future__ import annotations

from wirelax.systems.catalogue import Entry

__all__ = ["METHODS", "RECIPES", "SUMMARY"]

SUMMARY = "user association and BS powers in a heterogeneous ultra-dense network"

_METHOD = "wirelax.systems.hudn.methods:method"
METHODS = {
    "maramp": Entry("each UE at the BS of its highest rate, all BSs at full power", _METHOD),
    "maramp+silent": Entry("maramp, BSs without UEs silent", _METHOD),
    "maramp+polish": Entry("maramp, then powers and single moves of UEs in turns", _METHOD),
    "msuamp": Entry("the association of the highest sum of log rates at full power, by its dual", _METHOD),
    "msuamp+silent": Entry("msuamp, BSs without UEs silent", _METHOD),
    "msuapc": Entry("msuamp, then powers that raise the sum of log rates", _METHOD),
    "uamwser": Entry("the association of the highest sum rate at full power, as a sum of ratios", _METHOD),
    "uamwser+silent": Entry("uamwser, BSs without UEs silent", _METHOD),
    "juapcmwser": Entry("uamwser and a power update in turns", _METHOD),
    "juapcmwser+polish": Entry("juapcmwser, then powers and single moves of UEs in turns", _METHOD),
    "uamwser-published": Entry("uamwser with the faults of the published code", _METHOD),
    "juapcmwser-published": Entry("juapcmwser with the faults of the published code", _METHOD),
    "greedy": Entry("BSs switched on one at a time, with powers between: for the sum rate", _METHOD),
    "local-search": Entry("moves that switch BSs, and powers, in turns from several starts", _METHOD),
    "direct": Entry("gradient ascent on a relaxed association and powers from several starts", _METHOD),
}

_POLICY = "wirelax.systems.hudn.policies:policy"
METHODS |= {
    "hbgnn-grl": Entry(
        "the paper's graph network, trained on the city of layout_seed 0", "wirelax.systems.hudn.paper_recipes:policy"
    ),
    "hbgnn-srl": Entry("hbgnn-grl, trained further on the event alone", "wirelax.systems.hudn.paper_recipes:policy"),
    "unfolded-grl": Entry("the unfolded network, trained on other cities", _POLICY),
    "unfolded-grl+polish": Entry("unfolded-grl, then powers and single moves of UEs in turns", _POLICY),
    "unfolded-srl": Entry("the unfolded network, trained further on the event alone", _POLICY),
    "unfolded-srl+polish": Entry("unfolded-srl, its best decisions polished, and a search near the best", _POLICY),
}

RECIPES = {
    "unfolded": Entry(
        "rounds of a learned update that sees rates, prices and harms, any size", "wirelax.systems.hudn.recipes:recipe"
    ),
}

_PAPER = "wirelax.systems.hudn.paper_recipes:recipe"
RECIPES |= {
    "hbgnn": Entry("the paper's graph network on channel vectors, labels at first", _PAPER),
    "hbgnn-ua": Entry("hbgnn for the association alone, at full power", _PAPER),
    "hbgnn-pa": Entry("hbgnn for powers alone, each UE at its strongest BS", _PAPER),
    "hbgnn-bilinear": Entry("hbgnn whose logits come from both ends of a link", _PAPER),
    "hgsage": Entry("the graph network of the paper of 2021, sampled neighbours", _PAPER),
    "cnn": Entry("convolutions over the image UEs by BSs", _PAPER),
    "cnn-ua": Entry("cnn for the association alone, at full power", _PAPER),
    "cnn-pa": Entry("cnn for powers alone, each UE at its strongest BS", _PAPER),
    "fcnn": Entry("fully connected layers, 2048 wide at full size", _PAPER),
    "fcnn-ua": Entry("fcnn for the association alone, at full power", _PAPER),
    "fcnn-pa": Entry("fcnn for powers alone, each UE at its strongest BS", _PAPER),
    "edge": Entry("a graph network with states on links, any size", _PAPER),
}
