"""Whether a checkpoint is on this machine: as a path, or whole in the hub's cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from panoptic.checkpoints.known import AUTHORS
from panoptic.checkpoints.needed import Part, missing_files

BERT = "bert-base-uncased"
"""Whose tokenizer Grounding DINO's original checkpoints need, which come without."""


@dataclass(frozen=True)
class HubPart:
    """What is needed of one repository of the hub: a checkpoint, or a single ``file``."""

    repository: str
    part: Part
    file: str | None = None

    @property
    def name(self) -> str:
        if self.part == "tokenizer":
            return f"the tokenizer {self.repository}"
        return f"{self.repository}/{self.file}" if self.file else self.repository


@dataclass(frozen=True)
class Presence:
    """``path`` is where a checkpoint is on this machine, None if nothing of it is; ``missing``
    is what is not there of it."""

    path: Path | None
    missing: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return self.path is not None and not self.missing


def hub_parts(source: str, part: Part) -> list[HubPart]:
    """What a name stands for on the hub; the first is the checkpoint itself.

    Raises ``ValueError`` for what can't be a name there.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    repository, file = source, None
    if source.endswith(".pth"):  # a file of a repository, by default of the authors' own
        repository, _, file = source.rpartition("/")
        repository = repository or AUTHORS
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ValueError(
            f"{source}: there is no such checkpoint on this machine, and it isn't a name on the "
            "Hugging Face hub (owner/name, or owner/name/file.pth)"
        ) from error
    found = [HubPart(repository, part, file)]
    return found if file is None else [*found, HubPart(BERT, "tokenizer")]


def lacks_tokenizer(checkpoint: Path) -> bool:
    """Whether an original checkpoint comes without a tokenizer, see ``find_tokenizer``."""
    return not any(
        (folder / name).is_file()
        for folder in (checkpoint.parent, checkpoint.parent / BERT)
        for name in ("tokenizer.json", "vocab.txt")
    )


def presence(wanted: HubPart) -> Presence:
    """What the hub's cache has, by the same rules by which the hub's package finds files there."""
    folder = _snapshot(wanted.repository)
    if folder is None:
        return Presence(None)
    if wanted.file is None:
        return Presence(folder, tuple(missing_files(folder, wanted.part)))
    here = (folder / wanted.file).is_file()
    return Presence(folder / wanted.file) if here else Presence(folder, (wanted.file,))


def is_here(source: str | Path, part: Part = "things") -> bool:
    """Whether a checkpoint is a path on this machine, or in the hub's cache with all it needs."""
    if Path(source).exists():
        return True
    try:
        return all(presence(wanted).whole for wanted in hub_parts(str(source), part))
    except ValueError:
        return False


def is_begun(source: str | Path, part: Part = "things") -> bool:
    """Whether some of a checkpoint is in the hub's cache, but not all: a fetch was broken off."""
    try:
        first = hub_parts(str(source), part)[0]
    except ValueError:
        return False
    return not is_here(source, part) and presence(first).path is not None


def cache_of(repository: str) -> Path:
    """Where the hub's package keeps a repository."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE).expanduser()
    return cache / repo_folder_name(repo_id=repository, repo_type="model")


def _snapshot(repository: str) -> Path | None:
    cache = cache_of(repository)
    try:
        commit = (cache / "refs" / "main").read_text(encoding="utf-8")
    except OSError:
        return None
    folder = cache / "snapshots" / commit
    return folder if commit and folder.is_dir() else None
