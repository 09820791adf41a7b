"""Two sublattices of one crystal.

Along [110], SrTiO3 has bright columns with Sr and weak ones with Ti in between. `find_atoms` names
the brighter sublattice 0 and the weaker one 1; the distance between nearest columns is a/2.
"""

from adatom import plotting
from adatom.localization import find_atoms
from adatom.simulation import Crystal, simulate_lattice

simulation = simulate_lattice(
    crystal=Crystal("rectangular", spacing="0.195 nm", rotation=4.0),
    pixel_size="0.0125 nm",
    width="0.05 nm",
    snr=8.0,
    seed=3,
)
columns = find_atoms(simulation.image)

figure = plotting.plot_image(simulation.image)
axis = figure.axes[0]
for number, color, name in ((0, "tab:orange", "brighter"), (1, "tab:cyan", "weaker")):
    some = columns.isel(site=columns["sublattice"].values == number)
    axis.scatter(
        some["x"], some["y"], s=110, facecolors="none", edgecolors=color, linewidths=2,
        label=f"{name}: {some.sizes['site']} columns",
    )  # fmt: skip
axis.set_title(f"Nearest columns are {columns.attrs['spacing']:.3f} nm apart")
axis.legend(loc="lower right", framealpha=1.0)
figure.savefig("two_sublattices.png", bbox_inches="tight")
