"""Images that a finder of atoms is trained on.

Structure, dirt and instrument are drawn at random, and the truth is known: circles are columns
that can be seen, red is where there is no lattice to analyze.
"""

import json

import matplotlib.pyplot as plt
import numpy as np

from adatom.simulation import TrainingImages, simulate_training_image

images = TrainingImages(size=128, spacing=(9.0, 14.0), empty=0.2)
figure, axes = plt.subplots(2, 4, figsize=(14, 7.4), layout="constrained")
for index, axis in enumerate(axes.flat):
    made = simulate_training_image(images=images, seed=4, index=index)
    low, high = np.quantile(made.image, [0.003, 0.997])
    axis.imshow(made.image, cmap="gray", vmin=low, vmax=high)
    axis.imshow(np.where(made.lattice, np.nan, 0.0), cmap="autumn", alpha=0.2)
    seen = made.sites.isel(site=made.sites["visible"].values)
    axis.plot(seen["x"], seen["y"], "o", mfc="none", mec="tab:cyan", ms=5, mew=0.7)
    axis.set_title(json.loads(made.manifest)["family"].replace("_", " "))
    axis.axis("off")
figure.savefig("training_images.png", bbox_inches="tight")
