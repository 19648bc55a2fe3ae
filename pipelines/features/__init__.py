"""Arrays that models learn from, made once per clip and kept by content."""

from pipelines.features.cache import FeatureCache, content_id, feature_rows, features, pcm_content
from pipelines.features.preparation import PreparedExtractor
from pipelines.features.registry import EXTRACTORS, Extractor, extractor

__all__ = [
    "EXTRACTORS",
    "Extractor",
    "FeatureCache",
    "PreparedExtractor",
    "content_id",
    "extractor",
    "feature_rows",
    "features",
    "pcm_content",
]
