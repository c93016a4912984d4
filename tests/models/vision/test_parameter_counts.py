"""Every vision network has the number of weights that its source has."""

from typing import Any

import pytest

from emberline.features.columns import Image
from emberline.models.vision.autoencoders import dense, stacked
from emberline.models.vision.cifar import nin, resnet, small
from emberline.models.vision.digits import alexnet as digits_alexnet
from emberline.models.vision.digits import cnn, fourier, lenet, mlp, row_lstm
from emberline.models.vision.digits.cnn import Convolution
from emberline.models.vision.faces import gender_age
from emberline.models.vision.generative import acgan, dcgan, srgan
from emberline.models.vision.imagenet import alexnet, applications, googlenet
from emberline.models.vision.segmentation import unet

DIGIT = Image("image", 28, 28, 1)
SMALL = Image("image", 32, 32, 3)
LARGE = Image("image", 224, 224, 3)

QUICK = [
    (mlp, mlp.Config(DIGIT, ()), 7_850),
    (mlp, mlp.Config(DIGIT, (800, 800), dropout=0.5, input_dropout=0.2), 1_276_810),
    (mlp, mlp.Config(DIGIT, (625, 625), biases=False, dropout=0.5, deviation=0.01), 886_875),
    (mlp, mlp.Config(DIGIT, (500,), deviation=0.1, bias=0.1), 397_510),
    (cnn, cnn.Config(DIGIT), 3_274_634),
    (
        cnn,
        cnn.Config(
            DIGIT, (Convolution(32, 3, 1, "valid"), Convolution(32, 3, 2, "valid", 0.25)), hidden_units=(128,),
            dropout=0.5,
        ),
        600_810,
    ),
    (cnn, cnn.Config(DIGIT, (Convolution(32), Convolution(64, dropout=0.5)), hidden_units=(256,)), 857_738),
    (
        cnn,
        cnn.Config(
            DIGIT, tuple(Convolution(filters, 3, dropout=0.2) for filters in (32, 64, 128)), hidden_units=(625,),
            biases=False,
        ),
        1_378_698,
    ),
    (cnn, cnn.Config(DIGIT, hidden_units=(512,)), 1_663_370),
    (lenet, lenet.Config(DIGIT), 61_706),
    (lenet, lenet.Config(Image("image", 32, 32, 1), "relu", "max"), 61_706),
    (row_lstm, row_lstm.Config(DIGIT), 136_586),
    (fourier, fourier.Config(DIGIT), 20_010),
    (small, small.Config(SMALL), 1_068_298),
    (small, small.Config(SMALL, normalization="batch"), 1_068_426),
    (nin, nin.Config(SMALL), 966_986),
    (resnet, resnet.Config(SMALL, 20), 269_722),
]  # fmt: skip

LARGE_ONES = [
    (digits_alexnet, digits_alexnet.Config(DIGIT), 37_327_562),
    (resnet, resnet.Config(SMALL, 56), 853_018),
    (gender_age, gender_age.Config(Image("image", 227, 227), outputs=2), 8_856_066),
    (gender_age, gender_age.Config(Image("image", 227, 227), outputs=8), 8_859_144),
    (alexnet, alexnet.Config(Image("image", 227, 227)), 60_965_224),
    (googlenet, googlenet.Config(LARGE), 6_998_552),
    (applications, applications.Config(LARGE, "VGG16"), 138_357_544),
    (applications, applications.Config(LARGE, "VGG19"), 143_667_240),
    (applications, applications.Config(LARGE, "ResNet50"), 25_636_712),
    (applications, applications.Config(LARGE, "ResNet152"), 60_419_944),
    (applications, applications.Config(Image("image", 299, 299), "InceptionV3"), 23_851_784),
    (applications, applications.Config(LARGE, "MobileNet"), 4_253_864),
    (applications, applications.Config(Image("image", 128, 128), "MobileNet", width=0.25), 475_544),
]

FACE = Image("image", 64, 64)
PHOTOGRAPH = Image("image", 384, 384)
BRAIN = tuple(Image(name, 240, 240, 1) for name in ("flair", "t1", "t1c", "t2"))
PARTS = [
    (dense, dense.Config(DIGIT, (256, 128)), {"encoder": 233_856, "decoder": 234_512}),
    (dense, dense.Config(DIGIT, (196,)), {"encoder": 153_860, "decoder": 154_448}),
    (stacked, stacked.Config(DIGIT), {"hidden_0_back": 627_984, "hidden_1_back": 640_800, "hidden": 2_537_584}),
    (dcgan, dcgan.Config(FACE), {"generator": 5_135_363, "discriminator": 4_316_545}),
    (acgan, acgan.Config(DIGIT), {"generator": 8_172_521, "discriminator": 525_835}),
    (srgan, srgan.Config(PHOTOGRAPH), {"generator": 1_518_147}),
]

LARGE_PARTS = [
    (srgan, srgan.Config(PHOTOGRAPH, adversarial=0.001), {"generator": 1_518_147, "discriminator": 48_153_921}),
    (unet, unet.Config(BRAIN, Image("mask", 240, 240, 1)), {"": 34_513_921}),
]

INCLUDING_AVERAGES = (applications,)
"""Their sources count the moving averages of batch normalisation too."""


def named(value: Any) -> str:
    return value.__name__.split(".", 2)[2] if hasattr(value, "build") else str(value) if isinstance(value, int) else ""


def weights(network: Any, config: Any) -> int:
    model = network.build(config, {})
    assert list(model.inputs[0].shape) == [None, *config.image.stored_shape]
    assert model.outputs[0].shape == (None, config.outputs)
    averages = [variable for variable in model.non_trainable_variables if "moving" in variable.path]
    counted = [*model.trainable_variables, *(averages if network in INCLUDING_AVERAGES else ())]
    return sum(int(variable.value.shape.num_elements()) for variable in counted)


@pytest.mark.parametrize(("network", "config", "expected"), QUICK, ids=named)
def test_it_has_the_published_number_of_weights(network: Any, config: Any, expected: int) -> None:
    assert weights(network, config) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("network", "config", "expected"), LARGE_ONES, ids=named)
def test_it_has_the_published_number_of_weights_too(network: Any, config: Any, expected: int) -> None:
    assert weights(network, config) == expected


def check_parts(network: Any, config: Any, expected: dict[str, int]) -> None:
    variables = network.build(config, {}).trainable_variables
    for scope, count in expected.items():
        mine = [variable for variable in variables if variable.path.startswith(scope)]
        assert sum(int(variable.value.shape.num_elements()) for variable in mine) == count, scope


@pytest.mark.parametrize(("network", "config", "expected"), PARTS, ids=named)
def test_its_parts_have_the_published_numbers_of_weights(network: Any, config: Any, expected: dict[str, int]) -> None:
    check_parts(network, config, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "config", "expected"), LARGE_PARTS, ids=named)
def test_its_large_parts_have_them_too(network: Any, config: Any, expected: dict[str, int]) -> None:
    check_parts(network, config, expected)
