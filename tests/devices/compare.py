"""How near the answers of two devices are."""

import numpy as np


def close(
    found: np.ndarray, expected: np.ndarray, name: str, numbers: float, pixels: float
) -> None:
    """Numbers within ``numbers`` of the largest, masks and labels in a part ``pixels`` of all.

    Sets of masks are compared as sets: a threshold lets one more or less through, and equals come
    in another order.
    """
    if name == "set of masks":
        for some, others in ((found, expected), (expected, found)):
            best = [max((m & o).sum() / (m | o).sum() for o in others) for m in some]
            assert np.mean(np.array(best) > 0.95) > 0.9, name
        return
    assert found.shape == expected.shape, name
    if expected.dtype.kind in "bui":
        assert np.mean(found == expected) >= pixels, name
        return
    largest = float(np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=numbers * largest, err_msg=name)
