"""Networks of public packages, built small and with random weights: nothing is downloaded.

Each function imports one package and returns its networks by name, as functions that build them.
"""

import functools

import keras
from keras import layers

IMAGE = (32, 32, 3)


def of_keras_hub():
    from keras_hub import models
    from keras_hub.src.models.vae.vae_backbone import VAEBackbone

    def resnet(widths, size, strides=(1, 2, 2, 2)):
        ones = [1] * len(widths)
        return models.ResNetBackbone(
            [64], [3], list(widths), ones, list(strides[: len(widths)]), "basic_block", image_shape=(size, size, 3)
        )

    def resnet_vd():
        return models.ResNetBackbone(
            [16, 16, 32], [3] * 3, [64, 32], [2, 2], [1, 2], "bottleneck_block_vd", image_shape=IMAGE
        )

    def pre_activated():
        return models.ResNetBackbone(
            [64], [3], [64, 32], [2, 2], [1, 2], "basic_block", use_pre_activation=True, image_shape=IMAGE
        )

    def deeplab():
        settings = {"low_level_feature_key": "P2", "projection_filters": 8, "image_shape": (64, 64, 3)}
        return models.DeepLabV3Backbone(resnet((64, 32, 64, 64), 64), "P5", 8, [2, 4, 6], **settings)

    def efficientnet():
        return models.EfficientNetBackbone(
            stackwise_kernel_sizes=[3, 3, 3],
            stackwise_num_repeats=[1, 2, 2],
            stackwise_input_filters=[16, 16, 24],
            stackwise_output_filters=[16, 24, 32],
            stackwise_expansion_ratios=[1, 4, 4],
            stackwise_squeeze_and_excite_ratios=[0.0, 0.25, 0.25],
            stackwise_strides=[1, 2, 2],
            stackwise_block_types=["v1", "unfused", "fused"],
            stackwise_width_coefficients=[1.0] * 3,
            stackwise_depth_coefficients=[1.0] * 3,
            stackwise_force_input_filters=[0] * 3,
            stackwise_nores_option=[False] * 3,
            num_features=64,
            input_shape=IMAGE,
        )

    def mobilenet():
        return models.MobileNetBackbone(
            stackwise_expansion=[[40, 56], [64, 144]],
            stackwise_num_blocks=[2, 2],
            stackwise_num_filters=[[16, 16], [24, 24]],
            stackwise_kernel_size=[[3, 3], [5, 5]],
            stackwise_num_strides=[[2, 1], [2, 1]],
            stackwise_se_ratio=[[None, None], [0.25, 0.25]],
            stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
            stackwise_padding=[[1, 1], [2, 2]],
            output_num_filters=64,
            input_activation="hard_swish",
            output_activation="hard_swish",
            input_num_filters=16,
            image_shape=IMAGE,
            depthwise_filters=8,
            depthwise_stride=1,
            depthwise_residual=False,
            squeeze_and_excite=0.5,
            last_layer_filter=64,
        )

    def cspnet():
        return models.CSPNetBackbone(
            stem_filters=16,
            stem_kernel_size=3,
            stem_strides=1,
            stackwise_depth=[1, 2],
            stackwise_strides=[2, 2],
            stackwise_num_filters=[32, 64],
            block_type="dark_block",
            stage_type="dark",
            image_shape=IMAGE,
        )

    def hgnet():
        return models.HGNetV2Backbone(
            depths=[1, 2],
            embedding_size=16,
            hidden_sizes=[32, 64],
            stem_channels=[3, 16, 16],
            hidden_act="relu",
            use_learnable_affine_block=True,
            stackwise_stage_filters=[(16, 16, 32, 1, 2, 3), (32, 16, 64, 2, 2, 3)],
            apply_downsample=[False, True],
            use_lightweight_conv_block=[False, True],
            image_shape=(64, 64, 3),
        )

    def mit():
        return models.MiTBackbone(
            layerwise_depths=[1, 1],
            num_layers=2,
            layerwise_num_heads=[1, 2],
            layerwise_sr_ratios=[2, 1],
            max_drop_path_rate=0.1,
            layerwise_patch_sizes=[7, 3],
            layerwise_strides=[4, 2],
            image_shape=IMAGE,
            hidden_dims=[16, 32],
        )

    return {
        "ResNet": lambda: resnet((64, 32, 64), 32),
        "ResNetV2": pre_activated,
        "ResNet-vd classifier": lambda: models.ImageClassifier(backbone=resnet_vd(), num_classes=5, pooling="avg"),
        "VGG": lambda: models.VGGBackbone([2, 2, 3], [16, 32, 64], image_shape=IMAGE),
        "DenseNet": lambda: models.DenseNetBackbone([3, 4, 3], image_shape=IMAGE, growth_rate=12),
        "EfficientNet": efficientnet,
        "MobileNet": mobilenet,
        "CSPNet": cspnet,
        "HGNetV2": hgnet,
        "Xception": lambda: models.XceptionBackbone(
            [[16, 32], [32, 32], [64, 64]], [True, False, True], image_shape=(48, 48, 3)
        ),
        "DeepLabV3": deeplab,
        "DeepLabV3 segmenter": lambda: models.DeepLabV3ImageSegmenter(
            backbone=deeplab(), num_classes=2, activation="linear"
        ),
        "RetinaNet": lambda: models.RetinaNetBackbone(
            resnet((64, 32, 64, 64), 64), 3, 5, use_p5=False, image_shape=(64, 64, 3)
        ),
        "VAE": lambda: VAEBackbone([32, 32], [1, 1], [32, 32], [1, 1], sampler_method="mode"),
        "MiT": mit,
        "ViT": lambda: models.ViTBackbone(IMAGE, (8, 8), 2, 2, 16, 32),
        "Swin": lambda: models.SwinTransformerBackbone(IMAGE, 16, [2, 2], [2, 4], 4, patch_size=2),
    }


def of_kimm():
    from kimm import models

    def classifier(name, size=64, prepared=False):
        return getattr(models, name)(
            input_shape=(size, size, 3),
            weights=None,
            include_preprocessing=prepared,
            classes=5,
            classifier_activation=None,
        )

    def features():
        return models.ResNet18(
            input_shape=(64, 64, 3),
            weights=None,
            include_preprocessing=False,
            include_top=False,
            feature_extractor=True,
            feature_keys=["BLOCK0_S4", "BLOCK1_S8"],
        )

    small = (
        *("ResNet18", "GhostNetW050", "GhostNetV2W100", "RegNetY002", "MobileNetV3W050Small", "RepVGGA0"),
        *("MobileOneS0", "ConvMixer736D32", "ConvNeXtAtto", "InceptionNeXtTiny", "MobileViTXS", "MobileViTV2W050"),
        *("HGNetTiny", "DenseNet121", "EfficientNetLiteB0", "VisionTransformerTiny16"),
    )
    return {
        **{name: functools.partial(classifier, name) for name in small},
        "InceptionV3": lambda: classifier("InceptionV3", 96),
        "Xception": lambda: classifier("Xception", 96),
        "MobileNetV2 with preprocessing": lambda: classifier("MobileNetV2W050", prepared=True),
        "ResNet18 features": features,
    }


def of_keras_unet_collection():
    from keras_unet_collection import models

    widths, linear = [8, 16, 32], {"n_labels": 2, "output_activation": None}
    normal = {**linear, "batch_norm": True}

    def u2net():
        wide, middle = [8, 16], [4, 8]
        return models.u2net_2d(
            IMAGE,
            filter_num_down=wide,
            filter_num_up=wide,
            filter_mid_num_down=middle,
            filter_mid_num_up=middle,
            filter_4f_num=[16, 16],
            filter_4f_mid_num=[8, 8],
            **linear,
        )

    def swin():
        return models.swin_unet_2d(
            IMAGE,
            filter_num_begin=16,
            depth=2,
            stack_num_down=2,
            stack_num_up=2,
            patch_size=(2, 2),
            num_heads=[2, 2],
            window_size=[4, 2],
            num_mlp=32,
            **linear,
        )

    attention = {"embed_dim": 16, "num_mlp": 32, "num_heads": 2, "num_transformer": 2}
    return {
        "U-Net": lambda: models.unet_2d(IMAGE, widths, pool=False, unpool=False, **normal),
        "U-Net++": lambda: models.unet_plus_2d(IMAGE, widths, deep_supervision=True, **normal),
        "UNET 3+": lambda: models.unet_3plus_2d(IMAGE, filter_num_down=widths, deep_supervision=True, **normal),
        "Attention U-Net": lambda: models.att_unet_2d(IMAGE, widths, **normal),
        "R2U-Net": lambda: models.r2_unet_2d(IMAGE, widths, recur_num=2, **normal),
        "V-Net": lambda: models.vnet_2d(IMAGE, widths, activation="PReLU", **normal),
        "U2-Net": u2net,
        "ResUNet-a": lambda: models.resunet_a_2d(
            IMAGE, widths, dilation_num=[1, 3], aspp_num_down=16, aspp_num_up=8, **linear
        ),
        "TransUNET": lambda: models.transunet_2d(IMAGE, widths, **attention, **normal),
        "Swin-UNET": swin,
    }


def of_keras_unet():
    from keras_unet import models

    return {
        "custom with attention": lambda: models.custom_unet(
            IMAGE, num_classes=2, filters=8, num_layers=3, use_attention=True, output_activation="linear"
        ),
        "satellite": lambda: models.satellite_unet((64, 64, 3), num_classes=1, output_activation="linear"),
        "vanilla": lambda: models.vanilla_unet((188, 188, 1), num_classes=1),
    }


def of_classification_models_3d():
    from classification_models_3D.kkeras import Classifiers

    def classifier(name):
        build, _ = Classifiers.get(name)
        return build(input_shape=(32, 32, 32, 1), weights=None, classes=3)

    return {name: functools.partial(classifier, name) for name in ("seresnet18", "mobilenet")}


def of_tcn():
    from tcn import TCN

    def network(**settings):
        series = keras.Input((50, 4))
        return keras.Model(
            series, layers.Dense(1)(TCN(nb_filters=16, kernel_size=3, dilations=(1, 2, 4), **settings)(series))
        )

    return {
        "TCN": network,
        "TCN with BatchNormalization, sequences": lambda: network(use_batch_norm=True, return_sequences=True),
    }


def of_k3im():
    from k3im import cct, convmixer_1d, vit

    def transformer():
        return cct.CCT(
            input_shape=IMAGE,
            num_heads=2,
            projection_dim=16,
            kernel_size=3,
            stride=1,
            padding=1,
            transformer_units=[32, 16],
            stochastic_depth_rate=0.1,
            transformer_layers=2,
            num_classes=5,
            positional_emb=False,
        )

    def mixer():
        return convmixer_1d.ConvMixer1DModel(
            seq_len=64, n_features=3, filters=16, depth=2, kernel_size=3, patch_size=4, num_classes=5
        )

    def vision():
        return vit.ViT(image_size=32, patch_size=8, num_classes=5, dim=16, depth=2, heads=2, mlp_dim=32, dim_head=8)

    return {"CCT": transformer, "ConvMixer1D": mixer, "ViT": vision}


PACKAGES = {
    "keras_hub": of_keras_hub,
    "kimm": of_kimm,
    "keras_unet_collection": of_keras_unet_collection,
    "keras_unet": of_keras_unet,
    "classification_models_3D": of_classification_models_3d,
    "tcn": of_tcn,
    "k3im": of_k3im,
}
