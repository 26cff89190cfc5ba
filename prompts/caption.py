"""Captions for Grounding DINO, and where in them each category's words are.

Grounding DINO reads all names in one caption, "car. traffic light. person.", and scores every
box against every token of it (arXiv 2303.05499, section 3.4: sub-sentences between full stops
don't see each other). Which tokens belong to which category is known when the caption is
written, so it is kept: nothing has to be decoded back into words afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from prompts.vocabulary import Category


class Tokenizer(Protocol):
    """What is needed of a tokenizer; every BERT tokenizer of transformers has it."""

    cls_token_id: int
    sep_token_id: int
    unk_token_id: int

    def __call__(self, text: str, *, add_special_tokens: bool) -> Any: ...

    def convert_ids_to_tokens(self, ids: Any) -> Any: ...

    def convert_tokens_to_ids(self, tokens: Any) -> Any: ...


@dataclass(frozen=True)
class Span:
    """One phrase (a name or a synonym) in a caption.

    ``words`` holds, word by word, the positions of its word pieces among the caption's tokens:
    "fire hydrant" after [CLS] is ``((1,), (2, 3))`` for fire, hydra, ##nt. Punctuation is left
    out (unless there is nothing else).
    """

    category_id: int
    phrase: str
    words: tuple[tuple[int, ...], ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        return tuple(token for word in self.words for token in word)


@dataclass(frozen=True)
class Caption:
    """Text for one forward pass; ``token_ids`` include [CLS] and [SEP], spans index into them."""

    text: str
    token_ids: tuple[int, ...]
    spans: tuple[Span, ...]

    @property
    def category_ids(self) -> tuple[int, ...]:
        """Ids of the categories asked, each once, in order."""
        return tuple(dict.fromkeys(span.category_id for span in self.spans))


@dataclass(frozen=True)
class _Phrase:
    category_id: int
    text: str
    ids: tuple[int, ...]
    words: tuple[tuple[int, ...], ...]  # positions within ids


def captions(
    categories: Iterable[Category],
    tokenizer: Tokenizer,
    limit: int = 256,
    names_per_caption: int | None = None,
) -> tuple[Caption, ...]:
    """Write the categories' names and synonyms into as few captions as the limit allows.

    ``limit`` counts tokens including [CLS], [SEP] and one full stop a phrase; ``names_per_caption``
    bounds the phrases as well. Several captions come out about equally long. Raises
    ``ValueError`` for words that the tokenizer doesn't know (all phrases of a category), and for
    a phrase that is longer than the limit by itself.
    """
    if names_per_caption is not None and names_per_caption < 1:
        raise ValueError(f"names_per_caption must be 1 or more, got {names_per_caption}")
    phrases = [phrase for category in categories for phrase in _phrases(category, tokenizer)]
    room = limit - 2
    for phrase in phrases:
        if len(phrase.ids) + 1 > room:
            raise ValueError(
                f"{phrase.text!r} takes {len(phrase.ids)} tokens, but a caption of this model "
                f"holds {room - 1}; use a shorter name"
            )
    return tuple(_write(group, tokenizer) for group in _pack(phrases, room, names_per_caption))


def _phrases(category: Category, tokenizer: Tokenizer) -> list[_Phrase]:
    """The category's phrases that the tokenizer knows; ``ValueError`` if there is none."""
    known, unknown = [], []
    for text in category.phrases:
        ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
        if not ids or tokenizer.unk_token_id in ids:
            unknown.append(text)
        else:
            known.append(_Phrase(category.id, text, ids, _words(ids, tokenizer)))
    if not known:
        raise ValueError(
            f"the detector has no word for {', '.join(map(repr, unknown))}; use another word, or "
            "a model with a larger dictionary"
        )
    return known


def _words(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[tuple[int, ...], ...]:
    """Positions grouped by word: BERT marks a word's further pieces with '##'."""
    words: list[list[int]] = []
    for position, token in enumerate(tokenizer.convert_ids_to_tokens(list(ids))):
        if token.startswith("##") and words:
            words[-1].append(position)
        else:
            words.append([position])
    tokens = tokenizer.convert_ids_to_tokens(list(ids))
    spoken = [w for w in words if any(c.isalnum() for c in tokens[w[0]])]
    return tuple(map(tuple, spoken or words))


def _pack(phrases: list[_Phrase], room: int, most: int | None) -> list[list[_Phrase]]:
    """Split in order into the fewest groups that fit, as even in length as order permits."""
    groups = _fill(phrases, room, most)
    if len(groups) < 2:
        return groups
    low, high = 1, room
    while low < high:
        middle = (low + high) // 2
        if all(len(p.ids) < middle for p in phrases) and (
            len(_fill(phrases, middle, most)) == len(groups)
        ):
            high = middle
        else:
            low = middle + 1
    return _fill(phrases, high, most)


def _fill(phrases: list[_Phrase], room: int, most: int | None) -> list[list[_Phrase]]:
    groups: list[list[_Phrase]] = []
    used = 0
    for phrase in phrases:
        cost = len(phrase.ids) + 1
        if not groups or used + cost > room or (most is not None and len(groups[-1]) >= most):
            groups.append([])
            used = 0
        groups[-1].append(phrase)
        used += cost
    return groups


def _write(phrases: list[_Phrase], tokenizer: Tokenizer) -> Caption:
    # Joining the phrases' own tokens equals tokenizing the whole text: BERT splits at white space
    # and punctuation first, and looks at each piece by itself.
    stop = tokenizer.convert_tokens_to_ids(".")
    ids = [tokenizer.cls_token_id]
    spans = []
    for phrase in phrases:
        words = tuple(tuple(len(ids) + at for at in word) for word in phrase.words)
        spans.append(Span(phrase.category_id, phrase.text, words))
        ids += [*phrase.ids, stop]
    ids.append(tokenizer.sep_token_id)
    text = " ".join(f"{phrase.text}." for phrase in phrases)
    return Caption(text, tuple(ids), tuple(spans))
