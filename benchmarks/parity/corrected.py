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

With these, and with memories in float32 on both sides, Meta's own `SAM2VideoPredictor` gives the
same logits as this to 1e-5 of their standard deviation in every clip case, in 2.0 and in 2.1.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from transformers import Sam2VideoModel

_EARLIER_LIMIT = 32.0
_Base: Any = Sam2VideoModel


class CorrectedVideo(_Base):
    """Keeps what it decoded last, memories in float32 (transformers: bfloat16), and takes hard
    decisions from elsewhere: see `ClipRun`."""

    def __init__(self, config: Any):
        super().__init__(config)
        self.decoded: tuple[Tensor, Tensor, Tensor] | None = None
        self.memory: Tensor | None = None
        self.decided: Tensor | None = None
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
        self, inference_session, frame_idx, obj_idx, *args, point_inputs=None, **kwargs
    ):
        earlier = None
        if point_inputs is not None:
            for outputs in inference_session.output_dict_per_obj[obj_idx].values():
                if frame_idx in outputs:
                    earlier = outputs[frame_idx]["pred_masks"]
        if earlier is not None:
            earlier = earlier.clamp(-_EARLIER_LIMIT, _EARLIER_LIMIT)
        return super()._run_single_frame_inference(
            inference_session,
            frame_idx,
            obj_idx,
            *args,
            point_inputs=point_inputs,
            prev_sam_mask_logits=earlier,
            **kwargs,
        )
