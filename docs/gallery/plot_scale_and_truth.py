"""A scale and the truth.

The file says that a pixel is 0.0100 nm, and the scan was sheared. The lattice of graphene, which is
known, tells both, and what to read the image with.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from adatom.io.affine import corrected
from adatom.localization import compare_scale
from adatom.schema import image_from_array, positions
from adatom.simulation import Crystal, build_lattice, simulate_image

SCAN = np.array([[1.04, 0.0], [0.06, 0.97]])  # What the scan does to positions (y, x).
graphene = build_lattice(
    crystal=Crystal("honeycomb", spacing="0.142 nm"), field=(4.0, 4.0), unit="nm", margin=0.6
)
y, x = SCAN @ positions(graphene).T
scanned = graphene.assign_coords(y=("site", y, {"units": "nm"}), x=("site", x, {"units": "nm"}))
counts = simulate_image(scanned, shape=(320, 320), pixel_size="0.0109 nm", seed=1).image.values

stated = image_from_array(counts, pixel_size="0.0100 nm")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    before = compare_scale(stated, lattice="graphene")
true = corrected(image_from_array(counts, pixel_size=before.pixel_size), before.affine)
after = compare_scale(true, lattice="graphene")

figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for axis, image, found in zip(axes, (stated, true), (before, after), strict=True):
    image.plot.imshow(ax=axis, cmap="gray", yincrease=False, add_colorbar=False, robust=True)
    axis.set_title(f"a = {found.a:.3f} nm, b = {found.b:.3f} nm, {found.angle:.1f} deg")
    axis.set_aspect("equal")
figure.suptitle(str(caught[0].message).partition(",")[0])
figure.savefig("scale_and_truth.png")
