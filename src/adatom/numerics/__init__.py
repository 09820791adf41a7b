"""Shared mathematics; no steps.

Modules are imported by name: ``from adatom.numerics.folds import fold``.

====================  ==============================================================
``blobs``             responses of overlapping Gaussian blobs, told apart
``blocks``            rows of any features cut into blocks, in memory or on disk
``coloring``          which members of a graph may be worked on at the same time
``exported_network``  a trained network in one file, with a card that says what it is
``executors``         where the work on blocks is done: one thread or several
``folds``             sums over blocks, the same bits for any chunks and executor
``gaussian_fit``      fit of many overlapping Gaussians and a background to an image
``gaussian_scene``    an image of Gaussians in windows and a background of hats
``gaussian_steps``    joint Gauss-Newton steps of all Gaussians of an image
``gaussians``         round Gaussians in small windows: models, normal equations
``groups``            counts, sums and means of the rows of a group
``indexing``          reflections counted in terms of a cell of known shape
``least_squares``     many small nonlinear fits at once
``life_locks``        a file that is locked as long as its process lives
``matching``          exclusive matching of two sets of points
``moments``           count, mean and Gram matrix of features, samples of rows
``network_card``      what an exported network takes and gives, and what is known of it
``neighbors``         nearest points within the same frame
``order``             how well the surroundings of points repeat
``onnx_graph``        what an ONNX file holds, read without running it
``peaks``             peaks of an image and the valley beneath true ones
``reflections``         spots of a spectrum, measured to a fraction of a bin
``scores``            how alike two ways of labelling the same things are
``sheet_bonds``       distances between neighbors of flat sheets, by name
``slots``             which neighbor fills each slot of a star; empty slots
``spacing``           the distance between neighbors in a set of points
``spectrum``          rings of the power spectrum and the noise beneath them
``splines``           cubic spline windows of an image at sub-pixel centers
``stars``             vectors to neighbors that many sites have in common
``windowed_fourier``  the part of an image that repeats itself within windows
====================  ==============================================================
"""
