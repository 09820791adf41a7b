"""What stands around impurities is described along the edge and outward."""

from __future__ import annotations

import numpy as np
import pytest
from edge_scenes import edge_movie, impurities_of

from adatom.descriptors import edge_environments, edge_patches
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Features, Sites, image_from_array, sites_from_positions


def _mirrored(features: Features) -> np.ndarray:
    turned = features.values[:, features["mirror_feature"].values]
    return np.asarray(turned * features["mirror_sign"].values)


def _silicon(atoms: Sites, *, turned: bool = False) -> Sites:
    silicon = atoms.isel(site=[0])
    sign = -1.0 if turned else 1.0
    silicon["edge_tangent"] = (("site", "axis"), [[0.0, sign]])
    silicon["edge_normal"] = (("site", "axis"), [[1.0, 0.0]])
    silicon["edge_distance"] = ("site", [0.0])
    return silicon


def test_a_mirrored_environment_is_the_mirror_image_of_its_features() -> None:
    impurities, atoms = impurities_of(edge_movie())
    features = edge_environments(impurities, atoms)
    opposite = impurities.assign(edge_tangent=-impurities["edge_tangent"])
    np.testing.assert_allclose(
        edge_environments(opposite, atoms).values, _mirrored(features), atol=1e-9
    )


def test_a_filled_slot_is_one_and_a_vacant_one_nothing() -> None:
    y, x = [0.0, 0.0, 0.0, 50.0, 50.1], [0.0, -1.0, 1.0, 0.0, 1.0]
    atoms = sites_from_positions(y, x, unit="nm", spacing=1.0)
    silicon = atoms.isel(site=[0, 3])
    silicon["edge_tangent"] = (("site", "axis"), [[0.0, 1.0]] * 2)
    silicon["edge_normal"] = (("site", "axis"), [[1.0, 0.0]] * 2)
    silicon["edge_distance"] = ("site", [0.0, 0.2])
    features = edge_environments(silicon, atoms)
    filling = features.values[:, features["variable"].values == "filling"]
    assert filling[0] == pytest.approx([1.0, 1.0], abs=0.05)
    assert sorted(filling[1]) == pytest.approx([0.0, 1.0], abs=0.1)
    assert features.values[:, -1] == pytest.approx([0.0, 0.2])


def test_a_patch_of_the_mirrored_image_is_the_mirror_image_of_the_patch() -> None:
    image = image_from_array(np.random.default_rng(0).normal(size=(41, 41)))
    atoms = sites_from_positions([20.0], [20.0], unit="px", spacing=4.0)
    patch = edge_patches(image, _silicon(atoms))
    mirrored = edge_patches(image, _silicon(atoms, turned=True))
    np.testing.assert_allclose(mirrored.values, _mirrored(patch), atol=1e-12)
    assert patch.attrs["patch_shape"] == [17, 17]


def test_patches_beyond_the_frame_are_not_measured() -> None:
    image = image_from_array(np.ones((41, 41)))
    atoms = sites_from_positions([3.0], [20.0], unit="px", spacing=4.0)
    patch = edge_patches(image, _silicon(atoms))
    assert np.isnan(patch.values).any()
    assert patch.attrs["notes"] == ["1 of 1 patches reach beyond the frame: left out"]


def test_impurities_without_directions_or_neighbors_are_refused() -> None:
    atoms = sites_from_positions([0.0, 9.0], [0.0, 9.0], unit="nm", spacing=1.0)
    image = image_from_array(np.ones((9, 9)), pixel_size="1 nm")
    with pytest.raises(KindError, match="find_edge_impurities"):
        edge_environments(atoms, atoms)
    with pytest.raises(KindError, match="find_edge_impurities"):
        edge_patches(image, atoms)
    with pytest.raises(TooFewSitesError, match="none of 1 impurities has a neighbor"):
        edge_environments(_silicon(atoms), atoms)
    with pytest.raises(SettingError, match="need 3 or more"):
        edge_patches(image, _silicon(atoms), size="1 px")
