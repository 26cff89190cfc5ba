"""The reference: transformers' Sam2Model and Sam2VideoModel, the latter corrected where it departs
from Meta's package (see `corrected`).

Objects don't influence each other in SAM 2. In one transformers session they do: `forward`
binarises the masks of *all* objects of a frame as soon as one of them was prompted there, and
forgets the direction for those that follow. So every object gets a session of its own here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Sam2Config, Sam2Model, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from benchmarks.parity.answers import ClipAnswer, ImageAnswer
from benchmarks.parity.cases import Ask, ClipCase, ImageCase, Visit
from benchmarks.parity.corrected import EARLIER_LIMIT, CorrectedVideo
from benchmarks.parity.scenes import Scene
from benchmarks.parity.shapes import ModelShape, shape_and_version, transformers_config


def random_state(shape: ModelShape, version: str) -> dict[str, Tensor]:
    """Names and shapes of the state dict, on no device: for `weights.randomise`."""
    with torch.device("meta"):
        return dict(Sam2VideoModel(transformers_config(shape, version)).state_dict())


def published(source: str) -> tuple[ModelShape, str, dict[str, Tensor]]:
    """Shape, version and weights of a model as transformers reads them from a hub or folder."""
    model = Sam2VideoModel.from_pretrained(source, dtype=torch.float32)
    shape, version = shape_and_version(model.config)
    return shape, version, dict(model.state_dict())


def write_model(
    shape: ModelShape, version: str, state: Mapping[str, Tensor], folder: str | Path
) -> None:
    """A folder as on the hub, written by transformers' own class."""
    config = transformers_config(shape, version)
    _load(Sam2VideoModel, config, state, "sdpa").save_pretrained(folder)


class Reference:
    """Both transformers models on one state dict (Hugging Face names, float32)."""

    def __init__(
        self,
        shape: ModelShape,
        version: str,
        state: Mapping[str, Tensor],
        *,
        attention: str = "sdpa",
        device: str = "cpu",
    ):
        self.shape, self.device = shape, device
        config = transformers_config(shape, version)
        self.video = _load(CorrectedVideo, config, state, attention).to(device)
        image_config = Sam2Config(
            vision_config=config.vision_config,
            prompt_encoder_config=config.prompt_encoder_config.to_dict(),
            mask_decoder_config=config.mask_decoder_config.to_dict(),
        )
        self.image = _load(Sam2Model, image_config, state, attention).to(device)
        self._scene: Scene | None = None
        self._features: dict[int, Any] = {}

    # --- images ---

    @torch.inference_mode()
    def segment(self, case: ImageCase, scene: Scene) -> list[ImageAnswer]:
        """One answer for each prompt of the case."""
        embeddings = self.image.get_image_embeddings(self._pixels(scene, 0)[None])
        answers = [self._ask(ask, embeddings, scene, case.multimask) for ask in case.asks]
        for index, ask in enumerate(case.again):
            answers[index] = self._ask(
                ask, embeddings, scene, case.multimask, answers[index].logits
            )
        return answers

    def _ask(
        self,
        ask: Ask,
        embeddings: Sequence[Tensor],
        scene: Scene,
        multimask: bool,
        logits: Tensor | None = None,
    ) -> ImageAnswer:
        points, labels, box, mask = self._inputs(ask, scene)
        if mask is not None:  # 0/1 to logits, as a user would hand over a mask he has
            logits = torch.nn.functional.avg_pool2d(mask, 4)[0] * 20 - 10
        given: dict[str, Any] = {}
        if points is not None:
            given.update(input_points=points, input_labels=labels)
        if box is not None:
            given.update(input_boxes=box)
        if logits is not None:
            logits = logits.clamp(-EARLIER_LIMIT, EARLIER_LIMIT)  # as Meta's image predictor does
            given.update(input_masks=logits[None].to(self.device))
        output = self.image(image_embeddings=list(embeddings), multimask_output=multimask, **given)
        return ImageAnswer(
            output.pred_masks[0, 0].cpu(),
            output.iou_scores[0, 0].cpu(),
            output.object_score_logits[0, 0, 0].cpu(),
        )

    # --- clips ---

    @torch.inference_mode()
    def track(self, case: ClipCase, scene: Scene, decided: Sequence[ClipAnswer] = ()) -> ClipRun:
        """Runs the visits. See `ClipRun` for `decided`. The features of a scene's frames are kept
        until another scene comes."""
        if scene != self._scene:
            self._scene, self._features = scene, {}
        run = ClipRun(self, case, scene, decided)
        for index, visit in enumerate(case.visits):
            run.visit(index, visit)
        return run

    def _pixels(self, scene: Scene, frame: int) -> Tensor:
        return torch.from_numpy(scene.pixels(frame)).to(self.device)

    def _inputs(
        self, ask: Ask, scene: Scene
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
        """Points (1, 1, K, 2), labels (1, 1, K), box (1, 1, 4), mask (1, 1, S, S), or None."""
        side, points, labels, box, mask = self.shape.image_size, None, None, None, None
        if ask.points:
            points = torch.tensor(ask.points, device=self.device)[None, None] * side
            labels = torch.tensor(ask.labels, device=self.device, dtype=torch.int32)[None, None]
        if ask.box is not None:
            box = torch.tensor(ask.box, device=self.device)[None, None] * side
        if ask.mask is not None:
            mask = torch.from_numpy(scene.mask(*ask.mask)).float().to(self.device)[None, None]
        return points, labels, box, mask


class ClipRun:
    """The state of one clip on the reference side: a session for each object.

    Of a clicked frame, the memory sees each pixel as 0 or 1. At full size, some pixels' logits
    always lie closer to 0 than float noise, and one that falls otherwise changes later frames by
    more than all other noise. So that this doesn't blur the comparison, the answers of the other
    side can be given as `decided`: clicked masks are then cut from its logits, which are compared
    themselves, and `ties` counts the pixels that would have fallen otherwise.
    """

    def __init__(
        self,
        reference: Reference,
        case: ClipCase,
        scene: Scene,
        decided: Sequence[ClipAnswer] = (),
    ):
        self.reference, self.case, self.scene = reference, case, scene
        self.decided = {(answer.visit, answer.object_id): answer.logits for answer in decided}
        self.model = reference.video
        self.model.ties = 0
        self.model.config.max_cond_frame_num = case.max_prompted or -1
        self.model.fill_hole_area = case.fill_hole_area
        self.sessions: dict[int, Sam2VideoInferenceSession] = {}
        self.answers: list[ClipAnswer] = []
        self._last: dict[int, tuple[Tensor, int]] = {}

    @property
    def ties(self) -> int:
        return int(self.model.ties)

    def visit(self, index: int, visit: Visit) -> None:
        for object_id, ask in visit.asks:
            self._prompt(object_id, visit.frame, ask)
        self._last = {}
        asks = dict(visit.asks)
        for object_id, session in self.sessions.items():
            if visit.correct and object_id not in asks:
                continue
            given = object_id in asks and asks[object_id].mask is not None
            clicked = object_id in asks and not given
            self.model.decided = self.decided.get((index, object_id)) if clicked else None
            output = self.model(
                session,
                frame_idx=visit.frame,
                frame=self._streamed(visit.frame),
                reverse=visit.reverse,
            )
            self.answers.append(
                ClipAnswer(
                    index,
                    object_id,
                    output.pred_masks[0, 0].cpu(),
                    1.0 if given else float(self.model.decoded[1].max()),
                    float(output.object_score_logits.reshape(())),
                    given,
                )
            )
            self._last[object_id] = self._raw(), self._best()

    @torch.inference_mode()
    def memory_effect(self) -> dict[str, float]:
        """What wrong memories change on the last visit, as the root mean square of the
        difference of the logits, over all objects: "shift" moves every memory of a tracked frame
        by one frame, "swap" gives each object the memories of the next one. The logits are those
        of the mask that was chosen with the right memories."""
        visit = self.case.visits[-1]
        self.model.decided = None
        if visit.asks:
            raise ValueError(f"case {self.case.name!r} must end with a visit without prompts")
        step = -1 if visit.reverse else 1
        banks = {key: session.output_dict_per_obj[0] for key, session in self.sessions.items()}
        changed = {"shift": {key: _shifted(bank, visit.frame, step) for key, bank in banks.items()}}
        if len(banks) > 1:
            keys = list(banks)
            changed["swap"] = {
                key: banks[other] for key, other in zip(keys, keys[1:] + keys[:1], strict=True)
            }
        effects = {}
        for name, replaced in changed.items():
            squares = []
            for key, session in self.sessions.items():
                session.output_dict_per_obj[0] = replaced[key]
                self.model._run_single_frame_inference(
                    inference_session=session,
                    frame_idx=visit.frame,
                    obj_idx=0,
                    batch_size=1,
                    is_init_cond_frame=False,
                    point_inputs=None,
                    mask_inputs=None,
                    reverse=visit.reverse,
                    streaming=self.case.known_length is None,
                )
                session.output_dict_per_obj[0] = banks[key]
                logits, best = self._last[key]
                squares.append((self._raw()[best] - logits[best]).square().mean())
            effects[name] = float(torch.stack(squares).mean().sqrt())
        return effects

    def _raw(self) -> Tensor:
        """The masks' logits (M, S/4, S/4), also of an object that is absent."""
        return self.model.decoded[0][0, 0].cpu()

    def _best(self) -> int:
        return int(self.model.decoded[1][0, 0].argmax())

    def _prompt(self, object_id: int, frame: int, ask: Ask) -> None:
        session = self.sessions.get(object_id)
        if session is None:
            session = self.sessions[object_id] = self._new_session()
            session.obj_id_to_idx(1)
        points, labels, box, mask = self.reference._inputs(ask, self.scene)
        if mask is not None:
            session.add_mask_inputs(0, frame, mask)
        else:
            corners = torch.tensor([[[2, 3]]], dtype=torch.int32, device=self.reference.device)
            boxes = [] if box is None else [(box.reshape(1, 1, 2, 2), corners)]
            clicks = [] if points is None else [(points, labels)]
            coordinates, kinds = zip(*boxes, *clicks, strict=True)
            given = {
                "point_coords": torch.cat(coordinates, dim=2),
                "point_labels": torch.cat(kinds, dim=2),
            }
            session.add_point_inputs(0, frame, given)
        session.obj_with_new_inputs = [1]

    def _new_session(self) -> Sam2VideoInferenceSession:
        side, device = self.reference.shape.image_size, self.reference.device
        length = self.case.known_length
        video = None
        if length is not None:
            video = torch.stack([self._frame(index) for index in range(length)])
        session = Sam2VideoInferenceSession(
            video=video,
            video_height=side,
            video_width=side,
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=torch.float32,
            max_vision_features_cache_size=10**9,
        )
        session.cache._vision_features = self.reference._features
        return session

    def _streamed(self, frame: int) -> Tensor | None:
        return None if self.case.known_length is not None else self._frame(frame)

    def _frame(self, index: int) -> Tensor:
        return self.reference._pixels(self.scene, index)


def _shifted(bank: dict[str, Any], frame: int, step: int) -> dict[str, Any]:
    """The outputs of one object with every tracked frame's moved by a frame towards `frame`."""
    tracked = bank["non_cond_frame_outputs"]
    moved = {index + step: output for index, output in tracked.items() if index != frame}
    return {"cond_frame_outputs": bank["cond_frame_outputs"], "non_cond_frame_outputs": moved}


def _load(kind: Any, config: Any, state: Mapping[str, Tensor], attention: str) -> Any:
    """A model in evaluation mode with the state's values; every parameter must be there."""
    model = kind._from_config(config, attn_implementation=attention)
    wanted = model.state_dict()
    model.load_state_dict({name: state[name] for name in wanted})
    return model.eval()
