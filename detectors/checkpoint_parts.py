"""Every part of a detector's checkpoint looked at before it is used.

transformers makes something of whatever it finds: a tokenizer of two tokens where its files are
missing (a download that was broken off), random weights, its own defaults. What is labelled then is
wrong, and nobody is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prompts.category import Category

_ROUND = 64
CONFIG = "config.json"
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
"""A tokenizer is all files of one of these."""
_BESIDE_TOKENIZERS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def check_parts(source: str | Path) -> None:
    """See that a checkpoint's configuration, processor and tokenizer are there and readable.

    ``source`` is a folder or a name on the hub. Raises ``ValueError`` that names the file: one that
    is missing, empty, cut off, a Git LFS pointer or a web page.
    """
    check_config(source)
    if not _readable(source, PROCESSORS):
        raise _lacks(source, f"{' or '.join(PROCESSORS)}, which says how pictures are prepared")
    check_tokenizer_files(source)


def check_config(source: str | Path) -> None:
    """As :func:`check_parts`, of ``config.json`` alone."""
    if not _readable(source, [CONFIG]):
        raise _lacks(source, f"{CONFIG}, which says what its weights are of")


def check_tokenizer_files(source: str | Path) -> None:
    """As :func:`check_parts`, of the tokenizer alone."""
    _readable(source, _BESIDE_TOKENIZERS)
    here = _readable(source, [name for names in TOKENIZERS for name in names])
    if not any(here.issuperset(names) for names in TOKENIZERS):
        choices = " or ".join(" with ".join(names) for names in TOKENIZERS)
        raise _lacks(source, f"{choices}: without its tokenizer it would take all words for one")


def load_tokenizer(source: str | Path, words: int | None = None, *, bert: bool = False) -> Any:
    """The tokenizer of a checkpoint, a folder or a name on the hub.

    ``words`` is how many tokens the model knows (``vocab_size`` of its text configuration);
    ``bert`` takes the files for BERT's where no ``config.json`` says whose they are. Raises
    ``ValueError`` for one that is damaged, or of another model.
    """
    from transformers import AutoTokenizer, BertTokenizer

    check_tokenizer_files(source)
    try:
        tokenizer = (BertTokenizer if bert else AutoTokenizer).from_pretrained(source)
        tokens, added = tokenizer.get_vocab(), tokenizer.get_added_vocab()
    except Exception as error:  # of whatever kind: KeyError, OSError, plain Exception
        text = (str(error).strip().splitlines() or [""])[0]
        raise ValueError(
            f"{source}: its tokenizer can't be read ({type(error).__name__}: {text[:200]}); "
            f"one of {', '.join(name for names in TOKENIZERS for name in names)}, "
            "tokenizer_config.json is damaged or of another model. Copy or download them again"
        ) from error
    if words is not None:
        _check_size(tokens, added, words, source)
    _check_merges(tokenizer, source)
    return tokenizer


def _check_size(
    tokens: Mapping[str, int], added: Mapping[str, int], words: int, source: str | Path
) -> None:
    most = 1 + max(tokens.values(), default=-1)
    # What was added is asked for by nobody, and some models round their number of tokens up.
    own = 1 + max((token for text, token in tokens.items() if text not in added), default=-1)
    if own > words or words > -(-most // _ROUND) * _ROUND:
        raise ValueError(
            f"{source}: its tokenizer has {most} tokens, but its model knows {words} (vocab_size "
            "in config.json); its files are cut off, or of another model. Copy or download them "
            "again"
        )


def _check_merges(tokenizer: Any, source: str | Path) -> None:
    """See that each piece of a byte-pair dictionary is made of others, up to single characters.

    A ``merges.txt`` that is cut off is read without a word, and rarer words fall into letters.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    model = json.loads(backend.to_str())["model"] if backend is not None else {}
    if model.get("type") != "BPE":
        return
    pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    made = {first + second for first, second in pairs}
    end = model.get("end_of_word_suffix") or ""
    special = set(tokenizer.all_special_tokens)
    lost = [
        piece
        for piece in model["vocab"]
        if len(piece.removesuffix(end)) > 1 and piece not in made and piece not in special
    ]
    if lost:
        raise ValueError(
            f"{source}: its tokenizer's merges (merges.txt or tokenizer.json) make {len(lost)} "
            f"pieces of its dictionary out of nothing, {lost[0]!r} for one; they are cut off, or "
            "of another model. Copy or download them again"
        )


def check_words(
    tokenizer: Any, categories: Iterable[Category], *, unknown_ones: bool = False
) -> None:
    """See that the words asked for are words to the model, and different ones.

    Raises ``ValueError`` for a phrase of which no token is left, unless ``unknown_ones`` may be
    there as others see to them, and for two categories of which two phrases have the same tokens:
    what is found would be given to one of them by chance.
    """
    special = set(tokenizer.all_special_ids)
    asked: dict[tuple[int, ...], tuple[str, Category]] = {}
    for category in categories:
        for phrase in category.phrases:
            found = _tokens(tokenizer, phrase)
            ids = tuple(token for token in found if token not in special)
            if not ids and unknown_ones:
                continue
            if not ids:
                raise ValueError(
                    f"the model's tokenizer reads nothing in {phrase!r}; use another word. If it "
                    "does so for plain words, its files are damaged or of another model"
                )
            other, of = asked.setdefault(ids, (phrase, category))
            if of.id != category.id:
                raise ValueError(
                    f"{other!r} and {phrase!r} are the same to the model's tokenizer; use another "
                    "word for one of them. If it does so for plain words, its files are damaged "
                    "or of another model"
                )


def _tokens(tokenizer: Any, phrase: str) -> list[int]:
    try:
        return list(tokenizer(phrase, add_special_tokens=False)["input_ids"])
    except Exception as error:  # the tokenizers package raises plain ones
        raise ValueError(
            f"the model's tokenizer can't read {phrase!r} ({error}); its files are damaged or of "
            "another model, tokenizer_config.json may be missing. Copy or download them again"
        ) from error


def _readable(source: str | Path, names: Iterable[str]) -> set[str]:
    """Which of these files there are; ``ValueError`` for one that isn't whole."""
    from sam2core.weight_files import check_file

    here: Mapping[str, Path | None] = {name: find_file(source, name) for name in names}
    for path in here.values():
        if path is not None:
            check_file(path)
    return {name for name, path in here.items() if path is not None}


def find_file(source: str | Path, name: str) -> Path | None:
    """A file of a folder, or of a repository in the hub's cache (fetched, where that may be)."""
    from transformers.utils import cached_file

    try:
        found = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    except OSError:
        return None
    return None if found is None else Path(found)


def _lacks(source: str | Path, what: str) -> ValueError:
    return ValueError(f"{source}: lacks {what}. Copy or download it again, whole")
