"""Where people and lands are: exact answers about points and rectangles, on R-trees.

Pure and a leaf: no I/O, no clock, nothing of the rest of the project. Coordinates are floats in
the world's own units; distance is Chebyshev (contract §1). Called by the services.
"""
