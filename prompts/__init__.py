"""Words and places as prompts: vocabulary, captions, points and boxes, regions, sampling."""

from prompts.vocabulary import Category, Vocabulary

__all__ = ["Category", "Vocabulary"]
