from inspector.state import remarks


def test_what_is_the_same_of_several_layers_is_said_once():
    norm = "norm_{} (GroupNormalization) normalises over channels."
    said = [norm.format(1), "6 layers without FIRE.", norm.format(2), norm.format(3), "6 layers without FIRE."]
    assert remarks.joined(said[:-1]) == [f"{norm.format(1)} So it is in 2 more.", "6 layers without FIRE."]
    assert remarks.joined([norm.format(1), "norm_2 (LayerNormalization) normalises."]) == [
        norm.format(1),
        "norm_2 (LayerNormalization) normalises.",
    ]
