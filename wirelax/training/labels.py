"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.errors import LabelCacheError
from wirelax.io.labels import load_labels, save_labels

__all__ = ["LabelCacheError", "load_labels", "save_labels"]
