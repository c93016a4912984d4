"""The training process of one rank: `python -m emberline.pipelines.training.rank`."""

from dataclasses import replace

from emberline.pipelines.cluster.rank_process import Report, announce_ready, announce_trained, run_rank
from emberline.pipelines.recipe import Training
from emberline.pipelines.recipe.interval import Interval
from emberline.pipelines.training.assignment import Assignment


def main() -> None:
    """Trains, and on rank 0 exports."""
    run_rank(lambda told, report: _train(Assignment.from_json(told), report))


def _as_it_runs(training: Training) -> Training:
    match training.mode:
        case "local":  # however many workers the recipe has on a cluster, here is one
            return replace(training, workers=1)
        case "async":  # within an epoch nobody can say which rows the workers have seen
            epochs = Interval.parse(training.checkpoint_every).unit == "epochs"
            return training if epochs else replace(training, checkpoint_every="1 epoch")
        case _:
            return training


def _train(assignment: Assignment, report: Report) -> None:
    from emberline.features import storage
    from emberline.features.dataset_version import open_version
    from emberline.pipelines.training.collective import SumOverWorkers
    from emberline.pipelines.training.coordinator import CoordinatedLoop
    from emberline.pipelines.training.export import export
    from emberline.pipelines.training.input.fed_batches import FedBatches
    from emberline.pipelines.training.loop import Loop
    from emberline.pipelines.training.strategy import (
        address_of_this_process,
        make_strategy,
        prepare_devices,
        serve,
        tf_config_task,
    )

    recipe = replace(assignment.recipe, training=_as_it_runs(assignment.recipe.training))
    training, task = recipe.training, tf_config_task()
    prepare_devices(training, assignment.threads)
    version = open_version(assignment.dataset)
    announce_ready(report)
    rank = 0 if task["type"] == "chief" else task["index"] + 1
    if training.mode == "async" and rank:
        serve(training, assignment.threads, report)
    strategy = make_strategy(training)
    loop: Loop | CoordinatedLoop
    if training.mode == "async":
        loop = CoordinatedLoop(recipe, version, assignment.output, strategy, report, assignment.weights)
    else:
        batches = None
        if training.input == "spark":
            batches = FedBatches(
                recipe,
                version,
                worker=rank,
                host=address_of_this_process(),
                secret=assignment.feed_secret,
                report=report,
                sum_over_workers=SumOverWorkers(strategy, training.workers),
            )
        loop = Loop(recipe, version, assignment.output, strategy, rank, report, batches, assignment.weights)
    model = loop.run()
    if rank == 0:
        report({"event": "exporting"})
        digest = export(recipe, version, model, storage.join(assignment.output, "model"))
        report({"event": "exported", "digest": digest})
    announce_trained(report)


if __name__ == "__main__":
    main()
