"""Exploring a trained generator: samples for seeds, interpolations, pictures of them."""
