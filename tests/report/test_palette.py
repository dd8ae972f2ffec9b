from wirelax.report._palette import palette

NAMES = [f"method-{number}" for number in range(35)]


def test_a_name_has_one_look_whatever_else_is_drawn():
    whole = palette(NAMES)
    assert palette(NAMES[20:22], NAMES) == {name: whole[name] for name in NAMES[20:22]}
    assert list(palette(["b", "a"], ["a", "b"])) == ["b", "a"]
    # Without an order the place in the list does not matter either, unless two names want one colour.
    alone = {name: palette([name])[name] for name in ("cnn", "exhaustive")}
    assert palette(["exhaustive", "cnn"]) == palette(["cnn", "exhaustive"]) == alone


def test_no_two_names_share_colour_and_dashes():
    looks = [(look["color"], str(look["linestyle"])) for look in palette(NAMES).values()]
    assert len(set(looks)) == len(NAMES)
    for first in range(0, 35, 7):
        assert len({colour for colour, _ in looks[first : first + 7]}) == 7


def test_twice_as_many_names_still_differ_by_the_marker():
    looks = palette([f"m{number}" for number in range(70)]).values()
    assert len({(look["color"], str(look["linestyle"]), look["marker"]) for look in looks}) == 70
