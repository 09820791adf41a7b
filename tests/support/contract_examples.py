"""One small call of every step, for the contract."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import contract_boundaries
import contract_cells
import contract_choice
import contract_clustering
import contract_computing
import contract_decay
import contract_diffusion
import contract_edges
import contract_electrons
import contract_films
import contract_fitting
import contract_generator
import contract_graphene
import contract_hopping
import contract_lattice
import contract_layers
import contract_library
import contract_movies
import contract_multislice
import contract_particles
import contract_prediction
import contract_probe
import contract_registration
import contract_strain
import contract_structures
import contract_teacher
import contract_tracking
import contract_trainer
import contract_transitions
import contract_tuning
import contract_variants
import contract_walls
import contract_windows
import numpy as np
import xarray as xr
from contract_example import Example

from adatom import clustering, decomposition, descriptors, localization, simulation
from adatom.schema import table_from_columns


@cache
def _simulation() -> simulation.Simulation:
    crystal = simulation.Crystal(lattice="square", spacing="12 px", displacement=0.02)
    return simulation.simulate_lattice(
        crystal=crystal, size=96, width="2.5 px", snr=12.0, pixel_size="0.02 nm", seed=3
    )


def _image() -> xr.DataArray:
    image = _simulation().image.copy(deep=True)
    return image.astype(float)


def _movie() -> xr.DataArray:
    frames = [_image(), _image() * 0.0, _image() + 0.25]
    return xr.concat(frames, dim="frame").rename("height")


def _regions() -> xr.DataArray:
    regions = xr.ones_like(_simulation().image, dtype=bool)
    regions[:20, :20] = False
    regions.attrs.clear()
    return regions


def _sites() -> xr.Dataset:
    return _simulation().truth.copy(deep=True)


def _sublattices() -> xr.Dataset:
    return _sites().assign(sublattice=_site_classes()["label"])


def _site_classes() -> xr.Dataset:
    return xr.Dataset({"label": ("site", np.arange(_sites().sizes["site"]) % 2)})


def _map_mask() -> xr.DataArray:
    spectra = _spectral_map()
    mask = xr.ones_like(spectra.isel({spectra.dims[-1]: 0}, drop=True), dtype=bool)
    mask[0, 0] = False
    mask.attrs.clear()
    return mask


@cache
def _cached_neighbors() -> xr.Dataset:
    return descriptors.neighbor_vectors(_sites(), n_neighbors=4)


def _neighbors() -> xr.Dataset:
    return _cached_neighbors().copy(deep=True)


def _features() -> xr.DataArray:
    rng = np.random.default_rng(5)
    centers = np.repeat([[0.0, 0.0, 0.0], [6.0, 0.0, 2.0]], [70, 30], axis=0)
    values = centers + rng.normal(size=centers.shape)
    place = {"units": "nm"}
    return xr.DataArray(
        values,
        dims=("site", "feature"),
        coords={
            "y": ("site", rng.uniform(0, 9, 100), place),
            "x": ("site", rng.uniform(0, 9, 100), place),
        },
        attrs={"units": "1"},
    )


def _heights() -> xr.DataArray:
    return _features()[:, :1]


def _spectral_map() -> xr.DataArray:
    energy = np.arange(10.0, 26.0, 2.0)
    place = {name: (name, np.arange(9.0), {"units": "nm"}) for name in ("y", "x")}
    rng = np.random.default_rng(6)
    return xr.DataArray(
        rng.poisson(1e4 * energy**-1.5 * np.ones((9, 9, 1))).astype(float),
        dims=("y", "x", "energy"),
        coords={**place, "energy": ("energy", energy, {"units": "eV"})},
        attrs={"units": "1"},
    )


@cache
def _pca() -> decomposition.PCAModel:
    return decomposition.fit_pca(_features(), n_components=2)


def _components() -> xr.DataArray:
    return xr.DataArray(np.eye(3)[:2], dims=("component", "feature"), attrs={"units": "1"})


@cache
def _model() -> clustering.KMeansModel:
    return clustering.fit_kmeans(_features(), n_classes=2)


def _classes() -> xr.Dataset:
    return clustering.assign_classes(_features(), _model())


@cache
def _cached_cell() -> xr.Dataset:
    return localization.find_unit_cell(_image())


def _cell() -> xr.Dataset:
    return _cached_cell().copy(deep=True)


def _expert() -> xr.DataArray:
    axis = np.arange(10.0)
    labels = np.add.outer(axis, axis).astype(int) % 2
    coords = {name: (name, axis, {"units": "nm"}) for name in ("y", "x")}
    return xr.DataArray(labels, dims=("y", "x"), coords=coords, attrs={"units": "1"})


_CHOICE = table_from_columns({"n_classes": [1, 2]}).assign_attrs(n_classes=2, reason="told")

EXAMPLES: dict[str, Callable[[], Example]] = {
    "io.list_formats": Example,
    "io.write_file": lambda: Example(
        (_image(), Path(tempfile.gettempdir()) / f"adatom-contract-{os.getpid()}.nc"),
        {"overwrite": True},
    ),
    "simulation.build_grain_boundary": lambda: Example((), {"field": (2.0, 2.0), "margin": 0.0}),
    "simulation.build_graphene": lambda: Example((), {"field": (2.0, 2.0)}),
    "simulation.build_lattice": lambda: Example((), {"field": (60.0, 60.0)}),
    "simulation.simulate_graphene": lambda: Example((), {"size": 96, "field": "1.5 nm"}),
    "simulation.simulate_lattice": lambda: Example((), {"size": 64}),
    "simulation.simulate_image": lambda: Example(
        (_sites(),), {"shape": (64, 64), "pixel_size": "0.02 nm"}
    ),
    "correction.choose_frames": lambda: Example((_movie(),)),
    "correction.correct_lines": lambda: Example((_movie(),)),
    "localization.find_atoms": lambda: Example((_image(), _regions())),
    "localization.find_lattice_sites": lambda: Example(
        (_image(), _sites(), _regions()), {"n_columns": 1}
    ),
    "localization.refine_sites": lambda: Example((_image(), _sites())),
    "localization.find_unit_cell": lambda: Example((_image(),)),
    "localization.find_motifs": lambda: Example((_image(), _cell())),
    "localization.estimate_columns": lambda: Example((_sites(), _cell())),
    "localization.estimate_motif": lambda: Example(
        (_image(), localization.find_motifs(_image(), _cell()), _cell())
    ),
    "localization.compare_scale": lambda: Example((_image(),), {"lattice": "square 0.24 nm"}),
    "localization.compare_sites": lambda: Example((_sites(), _sites())),
    "descriptors.site_patches": lambda: Example((_image(), _sites()), {"size": "1 d"}),
    "descriptors.window_spectra": lambda: Example((_image(),), {"size": "20 px", "step": "9 px"}),
    "descriptors.neighbor_vectors": lambda: Example(
        (_sites(), None, _regions()), {"n_neighbors": 4}
    ),
    "descriptors.estimate_bond_order": lambda: Example((_sites(),), {"n_fold": 4}),
    "descriptors.features_from_sites": lambda: Example((_neighbors(),)),
    "correction.correct_spikes": lambda: Example((_features(),)),
    "correction.correct_intensity": lambda: Example((_features(),)),
    "correction.correct_power_law": lambda: Example(
        (_spectral_map(),), {"fit_range": ("10 eV", "18 eV")}
    ),
    "correction.mask_from_image": lambda: Example((_image(),)),
    "correction.features_from_mask": lambda: Example((_spectral_map(), _map_mask())),
    "correction.image_from_window": lambda: Example(
        (_spectral_map(),), {"window": ("20 eV", "24 eV")}
    ),
    "decomposition.fit_pca": lambda: Example((_features(),)),
    "decomposition.apply_pca": lambda: Example((_features(), _pca())),
    "decomposition.decompose_pca": lambda: Example((_features(),), {"n_components": 2}),
    "decomposition.decompose_nmf": lambda: Example((abs(_features()),), {"n_components": 2}),
    "decomposition.find_endmembers": lambda: Example((_features(), _CHOICE)),
    "decomposition.estimate_abundances": lambda: Example((_features(), _components())),
    "clustering.fit_kmeans": lambda: Example((_features(),), {"n_classes": 2}),
    "clustering.fit_gaussian_mixture": lambda: Example((_features(),), {"n_classes": 2}),
    "clustering.assign_classes": lambda: Example((_features(), _model())),
    "clustering.cluster_kmeans": lambda: Example((_features(), _CHOICE)),
    "clustering.cluster_gaussian_mixture": lambda: Example((_features(), _CHOICE)),
    "clustering.class_means": lambda: Example((_features(), _classes())),
    "clustering.choose_n_classes": lambda: Example((_features(),), {"max_classes": 3}),
    "descriptors.add_classes": lambda: Example((_sites(), _site_classes())),
    "descriptors.sites_from_classes": lambda: Example((_sites(), _site_classes()), {"label": 1}),
    "descriptors.sites_from_sublattice": lambda: Example((_sublattices(),), {"sublattice": 1}),
    "clustering.find_outliers": lambda: Example((_heights(),)),
    "clustering.estimate_shares": lambda: Example((_classes(), _heights())),
    "clustering.compare_classes": lambda: Example((_classes(), _expert())),
}

for _more in (
    contract_boundaries,
    contract_cells,
    contract_choice,
    contract_computing,
    contract_clustering,
    contract_decay,
    contract_diffusion,
    contract_electrons,
    contract_films,
    contract_fitting,
    contract_generator,
    contract_graphene,
    contract_hopping,
    contract_lattice,
    contract_library,
    contract_movies,
    contract_registration,
    contract_multislice,
    contract_particles,
    contract_prediction,
    contract_probe,
    contract_layers,
    contract_strain,
    contract_structures,
    contract_teacher,
    contract_tracking,
    contract_trainer,
    contract_transitions,
    contract_edges,
    contract_tuning,
    contract_variants,
    contract_walls,
    contract_windows,
):
    EXAMPLES.update(_more.EXAMPLES)

NEEDS = {**contract_multislice.NEEDS, **contract_computing.NEEDS}
"""Libraries of the extras without which a step is not called here."""

READERS = frozenset(
    f"io.read_{what}"
    for what in (
        "classifier",
        "contents",
        "data",
        "diffraction_map",
        "force_curves",
        "image",
        "label_image",
        "movie",
        "network",
        "sites",
        "spectra",
        "spectral_map",
        "structure",
        "table",
    )
)
"""Steps that take files: tests/io holds them to their part of the contract."""
