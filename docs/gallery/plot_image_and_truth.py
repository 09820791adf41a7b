"""An image and its truth.

At a low dose single atoms drown in noise. Where the truth is known, each found atom is a hit or
false, and each atom that could have been seen is found or missed.
"""

from adatom import plotting
from adatom.localization import compare_sites, find_atoms, find_lattice_regions
from adatom.simulation import Microscope, simulate_graphene

simulation = simulate_graphene(
    size=384, field="5 nm", microscope=Microscope(electrons=250.0), seed=2
)
regions = find_lattice_regions(simulation.image)
atoms = find_atoms(simulation.image, regions)
comparison = compare_sites(atoms, simulation.truth)

scores = comparison.scores.isel(row=0)
figure = plotting.plot_comparison(comparison, simulation.image)
figure.axes[0].set_title(
    f"precision {scores['precision']:.3f}, recall {scores['recall']:.3f}, "
    f"error {1000 * scores['rmse']:.0f} pm"
)
figure.savefig("image_and_truth.png", bbox_inches="tight")
