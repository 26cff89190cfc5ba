from prompts import Vocabulary


def test_ids_are_given_in_order_things_first():
    vocabulary = Vocabulary(things=["car", "person"], stuff=["road"])
    assert [(c.id, c.name, c.is_thing) for c in vocabulary] == [
        (1, "car", True),
        (2, "person", True),
        (3, "road", False),
    ]
