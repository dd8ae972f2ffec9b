"""The benchmark of a large thin network: its links, and the same step on edges and on arrays."""

import numpy as np
import pytest

from benchmarks.hudn_sparse import measure_step, thin_network


def test_every_ue_hears_so_many_bss_in_the_order_of_the_ues():
    snr, ue, bs = thin_network(50, 9, 4)
    np.testing.assert_array_equal(ue, np.repeat(np.arange(50), 4))
    assert all(len(set(row)) == 4 for row in bs.reshape(50, 4).tolist())
    assert snr.min() > 1
    assert snr.max() < 1e8


@pytest.mark.slow
def test_a_step_on_edges_is_that_on_arrays():
    sparse, dense = (measure_step(40, 12, 4, dense=dense, repeats=1) for dense in (False, True))
    assert sparse["loss"] == pytest.approx(dense["loss"], rel=1e-5)
    assert sparse["gradient_norm"] == pytest.approx(dense["gradient_norm"], rel=1e-4)
    assert sparse["edges"] == 160
