"""How a model is trained: the part of a recipe that its training reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.recipe.callback import Callback
from emberline.pipelines.recipe.interval import Interval
from emberline.pipelines.recipe.loss import declared_loss
from emberline.pipelines.recipe.schedule import Schedule
from emberline.pipelines.runtime.catalogue import Catalogue

OPTIMIZERS = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion", "muon", "nadam", "rmsprop",
    "schedulefreeadamw", "sgd",
)  # fmt: skip
"""Keras's optimizers, which a test compares with Keras: a recipe is declared without importing it."""

ROWWISE_ADAGRAD = "rowwise_adagrad"
"""Ours: Adagrad with one accumulator for each row of a table."""

KINDS = (*OPTIMIZERS, ROWWISE_ADAGRAD)

OWN_OPTIMIZERS = Catalogue("optimizer", "OPTIMIZER", "emberline.optimizers")

TAKEN_BY = {
    "momentum": ("sgd", "rmsprop"),
    "beta_1": ("adam", "adamax", "adamw", "lamb", "lion", "nadam"),
}
"""Arguments of `Optimizer` that some kinds alone have."""

DONE_BY_THE_STEP = {
    "learning_rate": "the field learning_rate",
    "name": "no name",
    "clipnorm": "training.clip_norm",
    "global_clipnorm": "training.clip_norm",
    "clipvalue": "training.clip_value",
    "use_ema": "training.average_decay",
    "ema_momentum": "training.average_decay",
    "gradient_accumulation_steps": "training.accumulate",
    "loss_scale_factor": "training.precision",
}
"""Arguments of Keras's optimizers that would act before gradients are summed, by what does the same after that."""

Mode = Literal["sync", "async", "local"]
Input = Literal["tensorflow", "spark"]
Launcher = Literal["barrier", "tensorflowonspark"]
Tables = Literal["auto", "rows", "dense"]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer and the variables it moves.

    Args:
        kind: Name of a Keras optimizer, in any case; `rowwise_adagrad`, which remembers one number for each row of a
            table; or a function `(learning_rate, **settings)` that makes one, which
            may be named, too: `module:NAME`, or an entry point of the group `emberline.optimizers`.
        learning_rate: Step size at the start.
        scope: Moves the variables whose name starts with this; the empty scope takes all that are left.
        schedule: How the learning rate changes.
        l1: Strength of L1: times the sum of the sizes of all elements of kernels. `ftrl` has L1 and L2 of its own, over
            all its variables.
        l2: Strength of L2: times the sum of the squares.
        momentum: Share of the step before that a step takes along (`sgd` and `rmsprop`).
        beta_1: How much of its mean of gradients a step keeps (`adam` and its kin).
        weight_decay: Decoupled weight decay.
        every: It moves its variables in the last of so many steps only: 5 for a generator whose critic takes five steps
            for each of its own. Not in mode `async`, where no step comes before another.
        settings: Other arguments of the Keras optimizer, by name, such as `{"nesterov": True}`.

    Raises:
        BadInputError: for a name that Keras does not have, an argument that this kind does not take, or a setting that
            `Training` has a field for.

    Example:
        >>> from emberline.pipelines.recipe import Optimizer, Schedule
        >>> Optimizer("adam", 0.001, schedule=Schedule("cosine", warmup_steps=100)).every
        1
        >>> Optimizer("Lion", 0.0003, settings={"beta_2": 0.98}).kind
        'lion'
    """

    kind: str | Callable[..., Any]
    learning_rate: float
    scope: str = ""
    schedule: Schedule = field(default_factory=Schedule)
    l1: float = 0.0
    l2: float = 0.0
    momentum: float = 0.0
    beta_1: float = 0.9
    weight_decay: float = 0.0
    every: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_kind()
        if self.every < 1:
            raise BadInputError(
                f"Optimizer: every must be at least 1, got {self.every}. It is the number of steps between updates."
            )
        # FTRL computes a weight as accumulated gradients times the present rate: at rate 0 all weights would be 0.
        if self.kind == "ftrl" and self.schedule.changes:
            raise BadInputError(
                f"Optimizer ftrl with the schedule {self.schedule.kind!r}: its weights shrink with its learning rate, "
                "so a falling rate unlearns. Keep it constant, or take adagrad or adam."
            )

    def _check_kind(self) -> None:
        if isinstance(self.kind, str) and self.kind.lower() not in KINDS and OWN_OPTIMIZERS.has(self.kind):
            object.__setattr__(self, "kind", OWN_OPTIMIZERS.named(self.kind))
        if isinstance(self.kind, str):
            if self.kind.lower() not in KINDS:
                raise BadInputError(
                    f"Unknown optimizer {self.kind!r}. {nearest(self.kind.lower(), KINDS)} Or give a function of "
                    "the learning rate that makes one."
                )
            object.__setattr__(self, "kind", self.kind.lower())
            for name, kinds in TAKEN_BY.items():
                if getattr(self, name) != getattr(type(self), name) and self.kind not in kinds:
                    raise BadInputError(
                        f"Optimizer {self.kind!r} takes no {name}; these do: {', '.join(kinds)}. Leave it out, or set "
                        "it in `settings` if your version of Keras has it."
                    )
        elif not callable(self.kind):
            raise BadInputError(
                f"An optimizer is the name of a Keras optimizer or a function of the learning rate that makes one, "
                f"got {self.kind!r}."
            )
        for name in self.settings:
            if name in DONE_BY_THE_STEP:
                raise BadInputError(
                    f"Optimizer {self.name!r}: {name} in `settings` would be done by each worker for itself. Use "
                    f"{DONE_BY_THE_STEP[name]} instead."
                )

    @property
    def name(self) -> str:
        """The kind, or the name of the function that makes it."""
        return self.kind if isinstance(self.kind, str) else getattr(self.kind, "__name__", type(self.kind).__name__)


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Args:
        optimizers: Tried in order; each variable goes to the first whose scope fits.
        epochs: Passes over the training split.
        global_batch: Rows per step over all workers together; must divide by `workers`. In mode `async`, rows of one
            update by one worker.
        mode: `sync`, every step is taken by all workers together; `async`, each worker takes steps of its own with
            variables on parameter servers; `local`, one process beside the driver takes all of it, for debugging.
        workers: Executors that train; mode `async` takes one more for the chief.
        parameter_servers: Executors that hold the variables in mode `async`.
        gpus_per_worker: GPUs each training process must be given by Spark; 0 takes what Spark gives.
        seed: Initial weights, dropout and the order of rows follow from it.
        average_decay: Decay per step of the moving averages of the weights, which are evaluated and exported in their
            place; min(average_decay, (1 + n) / (10 + n)) after n steps. 0 for none.
        clip_norm: Gradients of all variables together are scaled to at most this norm; 0 for any.
        clip_value: Every element of a gradient is cut to at most this size, before `clip_norm`; 0 for any.
        accumulate: Slices of a worker's rows whose gradients are computed one after the other and added up: the same
            step in less memory.
        loss: What is made smaller, where the task of the label is not to say: the name of a Keras loss, such as
            `huber` or `focal`; a `Loss` with settings; an object of Keras; or a function `(label, output) -> loss of
            each row`. Empty: the task's own. Of several labels one for each, by name.
        loss_weights: Of several labels, what the loss of each is multiplied by, by name; 1 where none is given.
        standardize_label: The network says of a number how many standard deviations it is from its mean, and the loss
            is of that; otherwise the number as it is.
        weight: Raw number field that says how much a row counts in training: the loss is the mean of weight times loss.
            Metrics count all rows alike. Empty for none.
        mix_up: Every row is mixed with another of its batch in training, and so are their losses, by shares drawn from
            Beta(mix_up, mix_up); for networks over images and numbers. 0 for none.
        unroll: Rows are read in parts of so many values each, a step for every part; the network's state is carried
            from one to the next, its gradient is not. 0 for whole rows.
        bucket_by: Stored column of many values: batches are made of rows in which it is similarly long, so that less of
            a step is spent on padding. Empty for rows as they come.
        buckets: Of `bucket_by`: as many, bounded so that the training split's lengths leave the least padding.
        bucket_boundaries: Of `bucket_by`, instead: the longest row of each bucket but the last.
        precision: `float32`, or half precision for layers and gradients over variables of float32; `mixed_float16`
            scales the loss.
        tables: `auto`: embedding tables that have many times the rows of a batch are updated by rows, those of the
            batch alone, and a step costs the same whatever their size. `rows`: all tables; `dense`: none. With
            `adagrad`, `rowwise_adagrad`, `sgd` and `ftrl` it is the same update; with `adam` and others that remember
            gradients, rows that a batch does not have rest, where a dense update would let them run on.
        jit_compile: Compile the network and its gradients with XLA.
        steps_per_call: Steps inside one graph call; more is faster, progress is seen less often.
        checkpoint_every: What lies between two checkpoints: `1 epoch`, `500 steps`, `600 seconds`. The end of the
            training has one in any case.
        keep_checkpoints: Latest checkpoints kept.
        transfer: With `train --warm-start`: only weights whose name and shape the older model has too start from it,
            the others at random. Otherwise it must be the same network.
        best_metric: Metric of the held-out rows, such as `eval_auc`, by which the best epoch is chosen: its checkpoint
            is kept beside the latest, and the model is that of the best epoch. Empty: of the last.
        patience: Epochs without a better `best_metric` after which the training ends; 0 for never.
        callbacks: Called on the chief with an `EpochEnd` at the end of each epoch, in order; they may end the training.
        tensorboard: Write event files, histograms and embedding tables into `tensorboard` below the output.
        profile_steps: First and last step that TensorFlow profiles for TensorBoard, to the next call; empty for none.
        stall_seconds: Without progress for so long, an attempt is given up.
        max_restarts: How often all workers start again, from the last checkpoint, after one was lost or hung.
        input: `tensorflow`: workers read the shards of the dataset version. `spark`: a Spark job transforms raw rows
            and feeds them to the workers while they train.
        launcher: How workers are started on executors: Spark's `barrier` stage, or `tensorflowonspark`.

    Example:
        >>> from emberline.pipelines.recipe import Optimizer, Training
        >>> training = Training((Optimizer("adam", 0.001),), epochs=5, global_batch=512, workers=4)
        >>> training.mode, training.launcher
        ('sync', 'barrier')
    """

    optimizers: tuple[Optimizer, ...]
    epochs: int
    global_batch: int
    mode: Mode = "sync"
    workers: int = 2
    parameter_servers: int = 1
    gpus_per_worker: int = 0
    seed: int = 1
    average_decay: float = 0.0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    accumulate: int = 1
    loss: Any = ""
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    standardize_label: bool = True
    weight: str = ""
    mix_up: float = 0.0
    unroll: int = 0
    bucket_by: str = ""
    buckets: int = 10
    bucket_boundaries: tuple[int, ...] = ()
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = False
    tables: Tables = "auto"
    steps_per_call: int = 50
    checkpoint_every: str = "1 epoch"
    keep_checkpoints: int = 3
    transfer: bool = False
    best_metric: str = ""
    patience: int = 0
    callbacks: tuple[Callback, ...] = ()
    tensorboard: bool = True
    profile_steps: tuple[int, ...] = ()
    stall_seconds: int = 600
    max_restarts: int = 2
    input: Input = "tensorflow"
    launcher: Launcher = "barrier"

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "global_batch",
            "workers",
            "parameter_servers",
            "steps_per_call",
            "keep_checkpoints",
            "accumulate",
            "buckets",
        ):
            if getattr(self, name) < 1:
                raise BadInputError(f"training.{name} must be at least 1, got {getattr(self, name)}.")
        if self.mix_up < 0:
            raise BadInputError(f"training.mix_up must be 0 or more, got {self.mix_up}.")
        if self.gpus_per_worker < 0:
            raise BadInputError(f"training.gpus_per_worker must be 0 or more, got {self.gpus_per_worker}.")
        if self.input == "spark" and self.mode == "async":
            raise BadInputError(
                "training.input=spark feeds workers that train in step: workers of mode async read shards. Set "
                "training.mode=sync, or training.input=tensorflow."
            )
        if self.mode == "sync" and self.global_batch % self.workers:
            raise BadInputError(
                f"training.global_batch={self.global_batch} does not divide by training.workers={self.workers}. "
                f"Nearest that does: {self.global_batch // self.workers * self.workers or self.workers}."
            )
        if self.global_batch // self.workers % self.accumulate:
            raise BadInputError(
                f"training.accumulate={self.accumulate} does not divide the {self.global_batch // self.workers} rows "
                "of one worker's step."
            )
        if self.mode == "async" and any(one.every > 1 for one in self.optimizers):
            raise BadInputError(
                "training.mode=async: workers take steps side by side, so none of them is every n-th as an optimizer's "
                "`every` asks. Set training.mode=sync, or every=1."
            )
        self._check_unrolled()
        if self.bucket_by and self.input == "spark":
            raise BadInputError(
                f"training.bucket_by={self.bucket_by!r} sorts rows of shards; rows that Spark feeds come as they come. "
                "Set training.input=tensorflow, or leave bucket_by empty."
            )
        if list(self.bucket_boundaries) != sorted(set(self.bucket_boundaries)):
            raise BadInputError(f"training.bucket_boundaries={self.bucket_boundaries} do not rise.")
        if isinstance(self.loss, Mapping):
            given = {name: declared_loss(loss) for name, loss in self.loss.items()}
            object.__setattr__(self, "loss", given)
        else:
            object.__setattr__(self, "loss", declared_loss(self.loss))
        for callback in self.callbacks:
            if not callable(callback):
                raise BadInputError(
                    f"training.callbacks has {callback!r}: expected functions of an EpochEnd, or objects to be called."
                )
        Interval.parse(self.checkpoint_every)
        if self.profile_steps and (len(self.profile_steps) != 2 or self.profile_steps[0] >= self.profile_steps[1]):
            raise BadInputError(f"training.profile_steps={self.profile_steps}: expected a first and a later last step.")
        if self.patience and not self.best_metric:
            raise BadInputError(
                f"training.patience={self.patience} waits for a better metric: name it in training.best_metric."
            )

    def _check_unrolled(self) -> None:
        if self.unroll < 0:
            raise BadInputError(f"training.unroll must be 0 or more, got {self.unroll}.")
        odd = {
            "mode": self.mode == "async",
            "input": self.input == "spark",
            "accumulate": self.accumulate > 1,
            "bucket_by": bool(self.bucket_by),
        }
        if self.unroll and any(odd.values()):
            name = next(name for name, found in odd.items() if found)
            raise BadInputError(
                f"training.unroll={self.unroll} carries state from step to step of the same rows, which "
                f"training.{name}={getattr(self, name)!r} does not allow. Leave either out."
            )
