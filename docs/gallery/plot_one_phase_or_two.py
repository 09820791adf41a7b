"""One phase or two.

The vectors from every atom to its neighbors are the local lattice. Random displacements spread
them, and the answer stays one phase; a part that is longer along x makes a second one.
"""

from adatom import plotting
from adatom.clustering import choose_n_classes, cluster_kmeans
from adatom.descriptors import features_from_sites, neighbor_vectors
from adatom.localization import find_atoms
from adatom.simulation import Crystal, build_lattice, simulate_image

FIELD, MIDDLE = 5.0, 2.5  # nm
lattice = build_lattice(
    crystal=Crystal("square", spacing="0.25 nm", displacement=0.01),
    field=(FIELD, FIELD),
    unit="nm",
    margin=0.8,
)
x = lattice["x"]
stretched = lattice.assign_coords(x=x.where(x < MIDDLE, MIDDLE + 1.08 * (x - MIDDLE)))
stretched["x"].attrs = dict(x.attrs)

for name, sites in (("one_phase", lattice), ("two_phases", stretched)):
    simulation = simulate_image(sites, pixel_size="0.01 nm", seed=1)
    neighbors = neighbor_vectors(find_atoms(simulation.image))
    vectors = features_from_sites(neighbors)
    phases = cluster_kmeans(vectors, choose_n_classes(vectors)).classes
    figure = plotting.plot_classes(phases, simulation.image, neighbors)
    figure.savefig(f"{name}.png")
