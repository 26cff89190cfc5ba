"""transformers' video model with Meta's behaviour where the two differ.

Meta's package (sam2 1.1.0) is the published one, and the methods below restore what it does:

- A prompted mask's object pointer comes from the single-mask token (Meta: `_use_mask_as_output`
  calls `_forward_sam_heads` with `multimask_output=False`); transformers takes the best of three.
- Of a prompted mask, the memory sees what the quarter-size logits say, enlarged again (Meta:
  `propagate_in_video_preflight`); transformers shows it the full-size mask.
- A correcting click on a frame that was tracked also gets that frame's earlier logits, cut to
  ±32 (Meta: `add_new_points_or_box`); transformers leaves them out.
- Of prompted frames that were not selected, the pointers count like those of tracked frames, up
  to 15 frames away (Meta: `_prepare_memory_conditioned_features`); transformers takes the
  pointers of all prompted frames, however far.
- Holes of up to `fill_hole_area` cells (connected over corners, at the border as well) get the
  logit 0.1 in every answer (Meta, with its extension: `_run_single_frame_inference`): in what is
  shown, what a later click refines, and in the memory of a prompted frame, but not in that of a
  tracked one, which is encoded before. transformers fills none; the cases do with 0, but for one.
- Of images, earlier logits are cut to ±32 before they refine (Meta: `SAM2ImagePredictor._predict`
  cuts what it gives back); transformers doesn't. `Reference` does that.

With these, and with memories in float32 on both sides, Meta's own `SAM2VideoPredictor` gives the
same logits as this to 1e-5 of their standard deviation in every clip case, in 2.0 and in 2.1; with
memories in bfloat16 and holes filled (its extension's labelling replaced by scipy's), sam2core's
differ from its by 2e-3 at most, its masks not at all. `SAM2ImagePredictor` agrees to 5e-6.

What sam2core does not do as Meta's package does, and what that changes (largest difference of
logits over their standard deviation, IoU of masks; random weights of the small model, if nothing
else is said):

- Frames are resized by one routine, bilinear with antialiasing, as pictures are; Meta's video
  loader takes PIL's bicubic one (JPEG folders) or decord's (video files). Of four photographs, at
  1024 pixels: 0.02 to 0.03 of the pixels' standard deviation, root mean square; the demo model's
  masks of 36 points each have a median IoU of 0.97 to 0.99, a mean of 0.93 to 0.97.
- What was prompted or corrected keeps its answer when its frame is tracked through again, and is
  remembered as it was; Meta's package tracks over a correction of a tracked frame, unless
  `add_all_frames_to_correct_as_cond` (here `TrackerSettings.corrections_are_prompts`).
- A second correction of a frame, where corrections are prompts, doesn't see the first one as a
  memory, only its logits; Meta's does once tracking has gone on.
- Clicks add up on a frame unless `replace`; Meta's replace earlier points unless
  `clear_old_points=False`, and refine the earlier logits in either case. With that argument:
  nothing. A box may follow points here; Meta's refuses it.
- A click on a frame that was prompted and since tracked through refines the prompt. Meta's shows
  such an answer once, computed with memory, and drops it when tracking goes on.
- Of images, `mask_logits` without points or box come with the tokens of an empty list of points,
  as in training, in Meta's video model and in transformers; `SAM2ImagePredictor` gives no token
  at all. Demo model, masks of 124 true segments as logits of ±10: IoU of the two answers 0.79,
  with the truth 0.58 here and 0.53 there.
- A user's own logits beyond ±32 are cut like earlier answers; Meta's takes them as they are (IoU
  0.34 to 1.0 for logits four times as large as its answers).
- Points labelled -1 count for nothing; in Meta's predictors each is one more token (IoU 0.63 to
  0.99). Boxes are cut to the picture, and points outside of it are refused; Meta's takes both as
  they are (IoU 0.64 to 0.97 for a box that begins 30 pixels outside).
- Automatic masks: copies are told by the IoU of masks at the picture's size, not of their boxes.
  24 demo scenes: 34 masks instead of 40, no two of which have an IoU above 0.7 (7 there), the same
  true segments found. Four photographs: 86 instead of 98 (37 of them such copies), 63 % of the
  published ones among them. Else the same masks, bit for bit (`benchmarks/results/automatic.md`).
  What cleaning with `min_area` does is sam2core's own: in pixels of the picture, islands first.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import Sam2VideoModel

EARLIER_LIMIT = 32.0
_FILLED = 0.1
_Base: Any = Sam2VideoModel


class CorrectedVideo(_Base):
    """Keeps what it decoded last, memories in float32 (transformers: bfloat16), and takes hard
    decisions from elsewhere: see `ClipRun`."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.decoded: tuple[Tensor, Tensor, Tensor] | None = None
        self.memory: Tensor | None = None
        self.decided: Tensor | None = None
        self.fill_hole_area = 0
        self.ties = 0
        self.mask_decoder.register_forward_hook(self._keep)
        self.memory_encoder.register_forward_hook(self._keep_memory)

    def _keep_memory(self, _module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> None:
        self.memory = output[0]

    def _keep(self, _module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> None:
        self.decoded = (output[0], output[1], output[3])

    def _single_frame_forward(self, *args, multimask_output: bool = False, **kwargs):
        return super()._single_frame_forward(*args, multimask_output=multimask_output, **kwargs)

    def _use_mask_as_output(self, *args: Any, **kwargs: Any) -> Any:
        output = super()._use_mask_as_output(*args, **kwargs)
        output.high_res_masks = self._enlarge(output.pred_masks)
        return output

    def _enlarge(self, logits: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(
            logits, (self.image_size,) * 2, mode="bilinear", align_corners=False
        )

    def _get_object_pointers(self, inference_session, obj_idx, frame_idx, *args, **kwargs):
        outputs = inference_session.output_dict_per_obj[obj_idx]
        selected, others = self._select_closest_cond_frames(
            frame_idx, outputs["cond_frame_outputs"], self.config.max_cond_frame_num
        )
        seen = {
            "cond_frame_outputs": selected,
            "non_cond_frame_outputs": {**others, **outputs["non_cond_frame_outputs"]},
        }
        session = SimpleNamespace(output_dict_per_obj={obj_idx: seen})
        return super()._get_object_pointers(session, obj_idx, frame_idx, *args, **kwargs)

    def _encode_new_memory(
        self, *args, pred_masks_high_res: Tensor, **kwargs
    ) -> tuple[Tensor, Tensor]:
        if self.decided is not None:
            decided = self._enlarge(self.decided[None, None].to(pred_masks_high_res))
            self.ties += int(((decided > 0) != (pred_masks_high_res > 0)).sum())
            pred_masks_high_res = decided
        _, positions = super()._encode_new_memory(
            *args, pred_masks_high_res=pred_masks_high_res, **kwargs
        )
        assert self.memory is not None  # the absent object's embedding was added in place
        return self.memory.flatten(2).permute(2, 0, 1), positions

    def _run_single_frame_inference(
        self,
        inference_session,
        frame_idx,
        obj_idx,
        *args,
        point_inputs=None,
        mask_inputs=None,
        **kwargs,
    ):
        earlier = None
        if point_inputs is not None:
            for outputs in inference_session.output_dict_per_obj[obj_idx].values():
                if frame_idx in outputs:
                    earlier = outputs[frame_idx]["pred_masks"]
        if earlier is not None:
            earlier = earlier.clamp(-EARLIER_LIMIT, EARLIER_LIMIT)
        output = super()._run_single_frame_inference(
            inference_session,
            frame_idx,
            obj_idx,
            *args,
            point_inputs=point_inputs,
            mask_inputs=mask_inputs,
            prev_sam_mask_logits=earlier,
            **kwargs,
        )
        if self.fill_hole_area:
            output["pred_masks"] = filled(output["pred_masks"], self.fill_hole_area)
            if point_inputs is not None or mask_inputs is not None:
                output["high_res_masks"] = self._enlarge(output["pred_masks"])
        return output


def filled(logits: Tensor, max_area: int) -> Tensor:
    """Logits (1, 1, h, w) with groups of at most `max_area` cells at or below 0 made positive.

    Each cell takes the largest number within its group, one step a round, until none changes.
    """
    outside = logits <= 0
    numbers = torch.arange(1.0, logits.numel() + 1, device=logits.device).view_as(logits) * outside
    while True:
        spread = torch.nn.functional.max_pool2d(numbers, 3, stride=1, padding=1) * outside
        if torch.equal(spread, numbers):
            break
        numbers = spread
    areas = torch.bincount(numbers.long().flatten())[numbers.long()]
    return torch.where(outside & (areas <= max_area), _FILLED, logits)
