//! Which tables there are: the simulation's own catalog, a heap of its own.
