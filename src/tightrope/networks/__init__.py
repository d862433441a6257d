"""Networks, one file a family, from torch and `tightrope.core` alone."""
