"""Games that benchmarks play and nobody else needs: recipes' files, used by their path, so not in the catalogue of recipes."""
