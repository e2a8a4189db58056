"""Public collections fetched whole, or not at all: what there is, what its licence asks, and the download."""
