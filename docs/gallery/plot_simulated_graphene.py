"""Graphene that knows its own truth.

A simulated image comes with the place and the class of every atom, moved by drift and jitter as
the image is. The same sheet under a tenth of the dose keeps its atoms where they are.
"""

import matplotlib.pyplot as plt

from adatom.simulation import Microscope, simulate_graphene

figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for axis, electrons in zip(axes, (1200.0, 120.0), strict=True):
    simulation = simulate_graphene(microscope=Microscope(electrons=electrons), seed=1)
    simulation.image.plot.imshow(
        ax=axis, cmap="gray", yincrease=False, add_colorbar=False, robust=True
    )
    truth = simulation.truth.where(simulation.truth["visible"], drop=True)
    for name, color in (("Si-C3", "tab:orange"), ("Si-C4", "tab:blue")):
        silicon = truth.where(truth["class"] == name, drop=True)
        axis.scatter(silicon.x, silicon.y, s=120, facecolors="none", edgecolors=color, label=name)
    axis.set_title(f"{electrons:.0f} electrons per carbon atom")
    axis.set_aspect("equal")
axes[0].legend(loc="upper right")
figure.savefig("simulated_graphene.png")
