"""Images of ferroic films, with the truth of every cell and a map as an expert would draw it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Image, Mask, Sites, add_note, image_from_array, positions
from adatom.simulation.films import B, Film, FilmLayout, draw_film, film_of_layout
from adatom.simulation.images import margin_of, simulate_image
from adatom.simulation.microscope import Microscope
from adatom.simulation.smooth_fields import draw_smooth_field
from adatom.units import Length, length_from_setting

# A corrected microscope at 200 or 300 kV on a film of some 20 nm: about 100 detected electrons
# in a pixel of 0.014 nm on a column of Bi (20 pA, 10 us, a tenth of them scattered).
FILM_MICROSCOPE: Final = Microscope(electrons=150.0)
# A hand follows a border to about a unit cell, here as one standard deviation in nm.
_DRAWING_ERROR: Final = 0.2
# Waves of a hand's error across the image.
_DRAWING_DETAIL: Final = 6.0


class FilmSimulation(NamedTuple):
    """A simulated image of a ferroic film and the truth about it.

    Attributes
    ----------
    image : Image
        As the instrument gives it, in counts.
    truth : Sites
        All columns of metals in the image, with what `build_film` tells of them.
    cells : Sites
        The columns of B among them, one a cell: ``domain``, ``phase``,
        ``polar_displacement`` and ``wall_distance`` of the cell.
    drawn : Image
        Labels as an expert would draw them on the image: 0 the substrate, 1 to 4
        domains; borders are off by about 0.2 nm, as those of a hand.
    clean : Mask
        True where the crystal is bare, False under contamination.
    expected : Image
        The image without noise.
    """

    image: Image
    truth: Sites
    cells: Sites
    drawn: Image
    clean: Mask
    expected: Image


def simulate_film(
    *,
    film: Film = Film(),  # noqa: B008 -- frozen
    size: int = 512,
    field: Length = "10 nm",
    microscope: Microscope = FILM_MICROSCOPE,
    contamination: float = 0.0,
    seed: int = 0,
) -> FilmSimulation:
    """Simulate a dark-field image of a ferroic film with domains on its substrate.

    Parameters
    ----------
    film : Film
        The film, its domains and its substrate.
    size : int
        Rows and columns of the image.
    field : length
        Height and width of the image: 10 nm hold some 650 cells.
    microscope : Microscope
        Probe, scan and detector; by default some 100 electrons on the brightest
        pixel of 0.014 nm.
    contamination : float
        Share of the image that lies under amorphous carbon.
    seed : int
        Of everything random. Film, image and drawing have streams of their own.

    Returns
    -------
    FilmSimulation
        ``image``, ``truth``, ``cells``, ``drawn``, ``clean`` and ``expected``.

    Raises
    ------
    SettingError
        If a setting makes no film or no image.

    Examples
    --------
    >>> simulation = simulate_film(size=128, field="2.5 nm", seed=1)
    >>> sorted(set(simulation.cells["class"].values.tolist()))
    ['FeO', 'TiO']
    """
    length = length_from_setting(field, unit="nm", name="field")
    if size < 2 or not length > 0:
        msg = f"{size=} and {field=} make no image: take 2 pixels or more and a positive length"
        raise SettingError(msg)
    film_seed, image_seed, hand = np.random.SeedSequence(seed).generate_state(3).tolist()
    layout = draw_film(film, (length, length), film_seed)
    sites = film_of_layout(layout, margin_of(microscope, length)).sites
    sites["site_number"] = ("site", np.arange(sites.sizes["site"]))
    simulation = simulate_image(
        sites,
        shape=(size, size),
        pixel_size=f"{length / size!r} nm",
        microscope=microscope,
        contamination=contamination,
        seed=image_seed,
    )
    seen = simulation.truth
    drawn = _drawn(layout, simulation.image, seen, sites, np.random.default_rng(hand))
    truth = seen.drop_vars("site_number")
    metals = truth.isel(site=np.flatnonzero(truth["species"].values != "O"))
    cells = truth.isel(site=np.flatnonzero(truth["sublattice"].values == B))
    for image in (simulation.image, simulation.expected):
        add_note(image, f"simulated: {''.join(film.elements)}O3 film with domains, {seed=}")
    return FilmSimulation(
        simulation.image, metals, cells, drawn, simulation.clean, simulation.expected
    )


def _drawn(
    layout: FilmLayout, image: Image, seen: Sites, sites: Sites, rng: np.random.Generator
) -> Image:
    """Draw the domains over the image, with the errors of a hand."""
    n_rows, n_columns = image.shape
    pixel = float(image.coords["x"].values[1])
    there = positions(seen)
    # The frame that the scan has sheared and moved, to first order.
    before = positions(sites)[seen["site_number"].values]
    design = np.column_stack([there, np.ones(len(there))])
    affine = np.linalg.lstsq(design, before)[0]
    rows, columns = np.indices(image.shape).reshape(2, -1)
    pixels = np.column_stack([rows, columns]).astype(float) * pixel
    error = np.stack(
        [
            draw_smooth_field(rng, (n_rows, n_columns), detail=_DRAWING_DETAIL).pixels().ravel()
            for _ in range(2)
        ],
        axis=1,
    )
    places = np.column_stack([pixels, np.ones(len(pixels))]) @ affine + _DRAWING_ERROR * error
    labels = layout.domain_at(layout.in_frame(places)).reshape(image.shape)
    drawn = image_from_array(labels.astype(np.int32), name="domain")
    drawn = drawn.assign_coords({dim: image.coords[dim] for dim in ("y", "x")})
    add_note(drawn, f"drawn with errors of {_DRAWING_ERROR} nm: 0 substrate, 1 to 4 domains")
    return drawn
