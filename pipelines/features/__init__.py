"""Arrays that models learn from, made once per clip and kept by content."""

from pipelines.features.cache import FeatureCache, content_id, features, pcm_content
from pipelines.features.registry import EXTRACTORS, Extractor, extractor

__all__ = ["EXTRACTORS", "Extractor", "FeatureCache", "content_id", "extractor", "features", "pcm_content"]
