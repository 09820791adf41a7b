"""Defects of WS2 that hop, turn and change, with the truth of every frame.

A row follows one defect: the number of its class and of its orientation, and the share of the
exposure during which it was so. Crosses are true places.
"""

import matplotlib.pyplot as plt
import numpy as np

from adatom.simulation import DefectiveSheet, Kinetics, simulate_kinetic_movie

sheet = DefectiveSheet(kinetics=Kinetics(n_defects=14), exposure=0.9)
made = simulate_kinetic_movie(sheet=sheet, n_frames=12, size=256, field="7 nm", seed=4)
frames, truth, pixel = made.movie.values, made.truth, 7 / 256
events = made.events["track"].values[made.events["event"].values != "refused"]
busiest = np.argsort(-np.bincount(events))[:4]
figure, axes = plt.subplots(4, 12, figsize=(14, 5.2), layout="constrained")
for row, track in zip(axes, busiest, strict=True):
    own = truth.isel(site=truth["track"].values == track)
    y, x = own["y"].values / pixel, own["x"].values / pixel
    corner = np.maximum(np.rint([y[0], x[0]]).astype(int) - 24, 0)
    for frame, axis in enumerate(row):
        image = frames[frame, corner[0] : corner[0] + 49, corner[1] : corner[1] + 49]
        axis.imshow(image, cmap="gray", vmin=0, vmax=np.quantile(frames, 0.999))
        axis.plot(x[frame] - corner[1], y[frame] - corner[0], "+", color="tab:orange", ms=5)
        label, way, share = (own[n].values[frame] for n in ("class", "orientation", "share"))
        axis.set_title(f"{label}/{way} {share:.2f}", fontsize=8)
        axis.axis("off")
figure.savefig("moving_defects.png", bbox_inches="tight")
