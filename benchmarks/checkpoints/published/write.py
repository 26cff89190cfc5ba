"""Writes the files beside it. Run it with transformers 4.56.2: ``python write.py FOLDER``.

The values are those of transformers' scripts ``convert_*_to_hf.py``; the files are what that
version's ``save_pretrained`` makes of them. Processors of SAM 2 and SAM 3 need torchvision.
"""

from __future__ import annotations

import sys
from pathlib import Path

import transformers as tf

HIERA: dict[str, dict] = {
    "tiny": {},
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base-plus": {
        "hidden_size": 112,
        "embed_dim_per_stage": [112, 224, 448, 896],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 3, 16, 3],
        "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": (14, 14),
    },
    "large": {
        "hidden_size": 144,
        "embed_dim_per_stage": [144, 288, 576, 1152],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 6, 36, 4],
        "global_attention_blocks": [23, 33, 43],
        "window_positional_embedding_background_size": (7, 7),
        "window_size_per_stage": [8, 4, 16, 8],
    },
}
SWIN = {
    "tiny": {"window_size": 7, "embed_dim": 96, "depths": [2, 2, 6, 2], "image_size": 224},
    "base": {"window_size": 12, "embed_dim": 128, "depths": [2, 2, 18, 2], "image_size": 384},
}
HEADS = {"tiny": [3, 6, 12, 24], "base": [4, 8, 16, 32]}


def sam2(size: str, newer: bool) -> tf.PretrainedConfig:
    given = HIERA[size]
    widths = (
        {"backbone_channel_list": given["embed_dim_per_stage"][::-1]}
        if "hidden_size" in given
        else {}
    )
    return tf.Sam2VideoConfig(
        vision_config=tf.Sam2VisionConfig(backbone_config=tf.Sam2HieraDetConfig(**given), **widths),
        prompt_encoder_config=tf.Sam2VideoPromptEncoderConfig(),
        mask_decoder_config=tf.Sam2VideoMaskDecoderConfig(),
        enable_temporal_pos_encoding_for_object_pointers=newer,
        enable_occlusion_spatial_embedding=newer,
    )


def swin(size: str) -> tf.SwinConfig:
    return tf.SwinConfig(**SWIN[size], num_heads=HEADS[size], out_indices=[2, 3, 4])


def save(config: tf.PretrainedConfig, architecture: str, folder: Path) -> None:
    config.architectures = [architecture]
    config.torch_dtype = "float32"
    config.save_pretrained(folder)


def main(out: Path) -> None:
    for version in ("2", "2.1"):
        for size in HIERA:
            folder = out / "facebook" / f"sam{version}-hiera-{size}"
            save(sam2(size, version == "2.1"), "Sam2VideoModel", folder)
            image, video = tf.Sam2ImageProcessorFast(), tf.Sam2VideoVideoProcessor()
            tf.Sam2VideoProcessor(image_processor=image, video_processor=video).save_pretrained(
                folder
            )
    for size in SWIN:
        folder = out / "IDEA-Research" / f"grounding-dino-{size}"
        config = tf.GroundingDinoConfig(backbone_config=swin(size))
        save(config, "GroundingDinoForObjectDetection", folder)
        tf.GroundingDinoImageProcessor().save_pretrained(folder)
    folder = out / "openmmlab-community" / "mm_grounding_dino_tiny_o365v1_goldg_v3det"
    config = tf.MMGroundingDinoConfig(backbone_config=swin("tiny"), num_feature_levels=4)
    save(config, "MMGroundingDinoForObjectDetection", folder)
    tf.GroundingDinoImageProcessor().save_pretrained(folder)
    folder = out / "CIDAS" / "clipseg-rd64-refined"
    config = tf.CLIPSegConfig(
        text_config=tf.CLIPSegTextConfig().to_dict(),
        vision_config=tf.CLIPSegVisionConfig(patch_size=16).to_dict(),
        use_complex_transposed_convolution=True,
    )
    save(config, "CLIPSegForImageSegmentation", folder)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    tf.ViTImageProcessor(size={"height": 352, "width": 352}, **colours).save_pretrained(folder)
    folder = out / "google" / "owlv2-base-patch16-ensemble"
    config = tf.Owlv2Config(
        text_config=tf.Owlv2TextConfig().to_dict(),
        vision_config=tf.Owlv2VisionConfig(patch_size=16, image_size=960).to_dict(),
    )
    save(config, "Owlv2ForObjectDetection", folder)
    tf.Owlv2ImageProcessor(size={"height": 960, "width": 960}).save_pretrained(folder)
    folder = out / "omlab" / "omdet-turbo-swin-tiny-hf"
    config = tf.OmDetTurboConfig(
        text_config={"model_type": "clip_text_model"},
        use_timm_backbone=True,
        backbone="swin_tiny_patch4_window7_224",
        use_pretrained_backbone=True,
        image_size=640,
    )
    save(config, "OmDetTurboForObjectDetection", folder)
    tf.DetrImageProcessor(
        size={"height": 640, "width": 640},
        do_rescale=False,
        do_pad=False,
        image_mean=[123.675, 116.28, 103.53],
        image_std=[58.395, 57.12, 57.375],
    ).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
