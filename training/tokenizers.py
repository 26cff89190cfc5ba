"""Tokenizers of the demo models: one word, one token, made from a list of words.

Words they don't know become the unknown token; the models see it in training as a word that is
never there.
"""

from __future__ import annotations

from collections.abc import Iterable

from transformers import BertTokenizer, PreTrainedTokenizerFast

# transformers' Grounding DINO has these ids of BERT's own vocabulary written into its code.
_BERT_IDS = {
    "[PAD]": 0,
    "[UNK]": 100,
    "[CLS]": 101,
    "[SEP]": 102,
    "[MASK]": 103,
    ".": 1012,
    "?": 1029,
}
_FIRST_WORD = 1030
_LONGEST_CAPTION = 256


def single_words(phrases: Iterable[str]) -> list[str]:
    """The sorted set of lower-case words in some phrases."""
    return sorted({word for phrase in phrases for word in phrase.lower().split()})


def bert_tokenizer(phrases: Iterable[str]) -> BertTokenizer:
    """A BERT tokenizer over the words of ``phrases``, ids from 1030 on, filler below."""
    ids = {index: token for token, index in _BERT_IDS.items()}
    vocabulary = {ids.get(i, f"[unused{i}]"): i for i in range(_FIRST_WORD)}
    for word in single_words(phrases):
        vocabulary[word] = len(vocabulary)
    return BertTokenizer(vocab=vocabulary, model_max_length=_LONGEST_CAPTION)


def word_level_tokenizer(phrases: Iterable[str]) -> PreTrainedTokenizerFast:
    """A word-level tokenizer for CLIPSeg over the words of ``phrases``: begin, words, end.

    The end token is 3, not 2: with 2 the text tower falls back to "the largest id is the end".
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {"<pad>": 0, "<begin>": 1, "<unknown>": 2, "<end>": 3}
    for word in single_words(phrases):
        vocabulary[word] = len(vocabulary)
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        bos_token="<begin>",
        eos_token="<end>",
        unk_token="<unknown>",
        model_max_length=16,
    )
