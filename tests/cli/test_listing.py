"""``wirelax systems`` and ``describe``: everything there is to know before the first run."""

import dataclasses
import json
import subprocess
import sys

import pytest

from wirelax import systems

CONTRACT_METHODS = {
    "hetnet-ee": {"exhaustive", "exhaustive+polish", "max-power", "random-power", "dnn", "cnn", "gradient"},
    "noma": {
        *("interior-point", "max-power", "random-power", "swap-matching", "dnn", "paus", "paus-ip", "joint"),
        "gradient",
    },
    "uplink-qos": {"optimal", "numerical", "exhaustive", "learned", "learned+repair"},
    "hudn": {
        *("maramp", "msuamp", "msuapc", "uamwser", "juapcmwser", "direct"),
        *("hbgnn-grl", "unfolded-grl", "unfolded-grl+polish", "unfolded-srl"),
    },
}
CONTRACT_FIELDS = {
    "hetnet-ee": "noise_dbm bandwidth_per_subchannel_hz max_power_macro_w max_power_micro_w circuit_power_macro_w "
    "circuit_power_micro_w amplifier_efficiency min_spectral_efficiency power_levels level_range_db",
    "noma": "noise_power_w sic_residual min_rate total_power_dbm max_users_per_subchannel max_subchannels_per_user "
    "interference_gain",
    "uplink-qos": "rate_long_bps rate_short_bps error_probability max_power_w rb_bandwidth_hz slot_s",
    "hudn": "noise_dbm max_power_macro_dbm max_power_small_dbm num_macro utility",
}


def test_systems_answers_without_jax():
    code = (
        "import sys; from wirelax.cli import main; status = main(['systems']);"
        "heavy = {'jax', 'numpy', 'scipy', 'flax', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "hetnet-ee: " in found.stdout
    assert "exhaustive+polish" in found.stdout


@pytest.mark.parametrize("name", CONTRACT_METHODS)
def test_the_contract_is_listed(run, name):
    status, out, _ = run("systems --json")
    assert status == 0
    entry = {entry["name"]: entry for entry in json.loads(out)}[name]
    assert CONTRACT_METHODS[name] <= {method["name"] for method in entry["methods"]}
    assert all(item["summary"] for item in (*entry["methods"], *entry["policies"]))
    found = json.loads(run(f"describe {name} --json")[1])
    assert found["methods"] == {item["name"]: item["summary"] for item in entry["methods"]}
    assert set(CONTRACT_FIELDS[name].split()) <= {field["name"] for field in found["fields"]}
    # what is listed without loading the system is what the system has
    system = systems.get(name)
    assert list(found["methods"]) == list(system.methods)
    assert list(found["policies"]) == list(system.recipes)


@pytest.mark.parametrize("name", CONTRACT_METHODS)
def test_describe_tells_units_ranges_and_axes(run, name):
    status, out, _ = run(f"describe {name}")
    found, text = json.loads(run(f"describe {name} --json")[1]), " ".join(out.split())
    system = systems.get(name)
    assert status == 0
    assert found["objective"] in text
    assert found["utility"] == {"name": system.utility_name, "unit": system.utility_unit}
    for constraint, sentence in found["constraints"].items():
        assert constraint in text
        assert sentence in text
    for array in found["arrays"]:
        assert f"{array['name']} [{', '.join(array['axes'])}]" in text
        assert array["axes"][0] == "batch"
        assert array["description"] in text
    assert [field["name"] for field in found["fields"]] == [spec.name for spec in dataclasses.fields(system.config)]
    for field in found["fields"]:
        assert field["description"] in text, field
        assert field["allowed"] in text, field
        assert field["default"] == getattr(system.config, field["name"])
        units = {"_dbm": "dBm", "_w": "W", "_per_hz": "dBm/Hz", "_hz": "Hz", "_m": "m", "_db": "dB", "_bps": "bit/s"}
        ending = next((ending for ending in units if field["name"].endswith(ending)), None)
        assert ending is None or field["unit"] == units[ending], field


def test_describe_a_system_of_ones_own(link, run):
    status, out, _ = run("describe link")
    assert status == 0
    for words in ("gain [batch, subchannel]", "default 30 bit/s/Hz/W; > 0.0", "water-filling", "max_power", "mlp"):
        assert words in out
    found = json.loads(run("describe link --json")[1])
    assert found["constraints"] == link.constraints
    assert found["utility"] == {"name": "net_rate", "unit": "bit/s/Hz"}
