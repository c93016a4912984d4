"""Every vision network has the number of weights that its source has."""

from typing import Any

import pytest

from features.columns import Image
from models.vision.cifar import nin, resnet, small
from models.vision.digits import alexnet as digits_alexnet
from models.vision.digits import cnn, fourier, lenet, mlp, row_lstm
from models.vision.digits.cnn import Convolution
from models.vision.faces import gender_age
from models.vision.imagenet import alexnet, applications, googlenet

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
]  # fmt: skip

INCLUDING_AVERAGES = (applications,)
"""Their sources count the moving averages of batch normalisation too."""


def named(value: Any) -> str:
    return value.__name__.split(".", 2)[2] if hasattr(value, "build") else str(value) if isinstance(value, int) else ""


def weights(network: Any, config: Any) -> int:
    model = network.build(config, {})
    assert list(model.inputs[0].shape) == [None, *config.image.stored_shape]
    assert model.outputs[0].shape == (None, config.outputs)
    counted = model.variables if network in INCLUDING_AVERAGES else model.trainable_variables
    return sum(int(variable.value.shape.num_elements()) for variable in counted)


@pytest.mark.parametrize(("network", "config", "expected"), QUICK, ids=named)
def test_it_has_the_published_number_of_weights(network: Any, config: Any, expected: int) -> None:
    assert weights(network, config) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("network", "config", "expected"), LARGE_ONES, ids=named)
def test_it_has_the_published_number_of_weights_too(network: Any, config: Any, expected: int) -> None:
    assert weights(network, config) == expected
