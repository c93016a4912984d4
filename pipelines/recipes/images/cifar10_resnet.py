"""Ten kinds of things in small photographs, with a residual network of 20 layers.

Reproduces section 4.2 of "Deep Residual Learning for Image Recognition" (269,722 weights; SGD with momentum, rate 0.1
divided by ten after 32,000 and 48,000 of 64,000 steps of 128, L2), which reports an error of 8.75 % on CIFAR-10; with
`--set model.depth=56`, 853,018 weights and 6.97 %. Images are moved by up to four pixels and mirrored in training.

Not trained on CIFAR-10 here, whose files were not available.
"""

from emberline.features.columns import Image
from emberline.models.vision.cifar import resnet
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

RECIPE = Recipe(
    name="cifar10_resnet",
    source="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, section 4.2",
    dataset="cifar10",
    model=resnet.Config(Image("image", 32, 32)),
    training=Training(
        optimizers=(
            Optimizer(
                "sgd",
                0.1,
                momentum=0.9,
                l2=5e-5,
                schedule=Schedule("piecewise", boundaries=(32_000, 48_000), factors=(1.0, 0.1, 0.01)),
            ),
        ),
        epochs=164,
        global_batch=128,
        checkpoint_every="10 epochs",
        best_metric="eval_accuracy",
    ),
    gate=Gate("accuracy", 0.2),
)
