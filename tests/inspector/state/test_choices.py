from inspector.state.choices import Choices


def test_a_lock_keeps_a_layer_and_unlocking_brings_its_cap_back():
    choices = Choices(caps={"a": 0.5}).with_locks(["a"], True)
    assert choices.layer_caps == {"a": 0.0}
    assert choices.with_locks(["a"], False).layer_caps == {"a": 0.5}
    assert choices.with_caps(["a"], None).caps == {}
    assert Choices().with_ratio(1.5).ratio == 0.99
