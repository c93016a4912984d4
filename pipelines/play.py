"""Reinforcement learning: executors play episodes in parallel, a learner on one of them trains the policy."""

import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.capacity import ClusterSizeError, slots_beside
from emberline.pipelines.cluster.gang import ClusterError, train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipe import Training
from emberline.pipelines.reinforcement.assignment import PER_ROUND, Algorithm, Assignment
from emberline.pipelines.reinforcement.channel import serve
from emberline.pipelines.reinforcement.policies import Greedy, Sampled
from emberline.pipelines.reinforcement.rollouts import rollouts
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.output_folder import require_folder
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tracking import Run, Tracker

POLICY = "policy.npz"
EVALUATION_EPISODES = 100
"""Episodes of an evaluation, as in Gymnasium."""

LAST_WORDS_SECONDS = 30
"""How long the players may take to end when the learner has."""

NO_GYMNASIUM = "Playing needs Gymnasium: pip install 'emberline[play]'"

LEARNER = Gang.of(Training((), epochs=1, global_batch=1, workers=1, max_restarts=0, stall_seconds=3600))
"""One task of a barrier stage. What a learner knows is in its memory: if it is lost, the job has to begin again."""


@dataclass(frozen=True, kw_only=True)
class PlayResult:
    """What was learned.

    Args:
        environment: That it plays in.
        algorithm: That learned.
        mean: Mean return of a hundred episodes that it neither learned from nor was chosen by.
        solved: Whether that reaches the target.
        rounds: Of playing and learning.
        episodes: Played to learn.
        steps: In them.
        policy: URI of the policy, for `emberline.pipelines.reinforcement.policies.from_bytes`.
        run_id: MLflow run.
    """

    environment: str
    algorithm: str
    mean: float
    solved: bool
    rounds: int
    episodes: int
    steps: int
    policy: str
    run_id: str


def train_policy(
    spark: SparkSession,
    environment: str,
    algorithm: Algorithm,
    output: str,
    tracker: Tracker,
    *,
    target_return: float,
    rounds: int = 150,
    per_round: int = 0,
    seed: int = 1,
    overwrite: bool = False,
) -> PlayResult:
    """Trains until the mean return of a hundred greedy episodes is `target_return`, or the rounds are over.

    Args:
        spark: The session; a task for the learner and one for a player at least.
        environment: Name of a Gymnasium environment.
        algorithm: Which learner.
        output: URI of the folder that takes the policy.
        tracker: Where the run is recorded.
        target_return: Mean return at which the task is solved.
        rounds: At most so many.
        per_round: Episodes of a round; 0 for what suits the algorithm.
        seed: Everything that is drawn follows from it.
        overwrite: Replace a policy that is there.

    Raises:
        BadInputError: if Gymnasium is missing, the environment cannot be played so, or `output` holds a policy.
        OutputBusyError: if another process learns for this output.
        ClusterSizeError: if learner and players have no room beside each other.
        ClusterError: if the learner fails or is lost.
    """
    require_folder(output)
    policy = storage.join(output, POLICY)
    if storage.exists(policy) and not overwrite:
        raise BadInputError(f"{policy!r} is there already. Give another --output, or --overwrite.")
    size, actions = spaces_of(environment)
    slots = slots_beside(spark, LEARNER)
    if slots == 0:
        raise ClusterSizeError(
            f"The learner holds a task slot, and the players need another; {spark.conf.get('spark.master')} has one. "
            "Use --master local[2], or a larger cluster."
        )
    progress, secret = Progress("play"), secrets.token_hex(32)
    assignment = Assignment(
        algorithm=algorithm,
        size=size,
        actions=actions,
        target_return=target_return,
        rounds=rounds,
        per_round=per_round or PER_ROUND[algorithm],
        evaluation_episodes=EVALUATION_EPISODES,
        seed=seed,
        threads=int(spark.conf.get("spark.task.cpus", "1") or 1),
        secret=secret,
    )
    settings = {"environment": environment} | {
        name: value for name, value in asdict(assignment).items() if name != "secret"
    }
    with claim(output), tracker.step(environment, "play", spark=spark, keep=output, params=settings) as run:
        players = Players(spark, environment, secret, tasks=slots or 1)
        report = Report(run, progress, players.on_event)
        try:
            train_on_cluster(spark, assignment, gang=LEARNER, on_event=report)
            storage.write_bytes_atomic(policy, players.policy())
        except ClusterError as error:
            raise players.fault or (_lost(error) if error.transient else error) from error
        finally:
            players.stop()
        run.log_files(policy)
        learned = report.learned
        run.log_metrics({name: learned[name] for name in ("mean", "rounds", "episodes", "steps")}, learned["rounds"])
    progress.say(f"mean return of {EVALUATION_EPISODES} fresh episodes {learned['mean']:.1f}; the policy is {policy}")
    return PlayResult(
        environment=environment,
        algorithm=algorithm,
        mean=learned["mean"],
        solved=learned["mean"] >= target_return,
        rounds=learned["rounds"],
        episodes=learned["episodes"],
        steps=learned["steps"],
        policy=policy,
        run_id=run.id,
    )


def spaces_of(environment: str) -> tuple[int, int]:
    """Returns the length of an observation, and the number of actions.

    Raises:
        BadInputError: if there is no such environment, or it shows no vectors or takes no numbered actions.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise BadInputError(f"{NO_GYMNASIUM}, here and on executors.") from error
    try:
        world = gymnasium.make(environment)
    except (gymnasium.error.Error, ImportError) as error:
        raise BadInputError(f"Gymnasium has no environment {environment!r}: {error}") from error
    seen, does = world.observation_space, world.action_space
    world.close()
    shape = seen.shape if isinstance(seen, gymnasium.spaces.Box) else ()
    if len(shape) != 1 or not isinstance(does, gymnasium.spaces.Discrete) or does.start:
        raise BadInputError(
            f"{environment!r} shows {seen} and takes {does}; expected a vector to see (Box of one dimension) and "
            "actions numbered from 0 (Discrete), as of CartPole-v1, Acrobot-v1 or LunarLander-v3."
        )
    return int(shape[0]), int(does.n)


def _lost(error: ClusterError) -> ClusterError:
    return ClusterError(f"The learner is gone, and what it knew with it; run the job again. {error}", transient=True)


class Players:
    """Has episodes played on the slots that the learner leaves, in a thread of the driver.

    Args:
        spark: The session.
        environment: To play in.
        secret: Opens the learner's port.
        tasks: At a time.

    Attributes:
        fault: Why no episodes can be played, if that is so.
    """

    def __init__(self, spark: SparkSession, environment: str, secret: str, *, tasks: int) -> None:
        self._spark = spark
        self._environment = environment
        self._secret = secret
        self._tasks = tasks
        self._tag = f"emberline-play-{uuid.uuid4().hex}"
        self._thread: threading.Thread | None = None
        self._policy = b""
        self.fault: Exception | None = None

    def on_event(self, event: dict[str, Any]) -> None:
        """Begins to play when the learner listens."""
        if event["event"] == "listening":
            address = (event["host"], event["port"])
            self._thread = threading.Thread(target=self._serve, args=(address,), name="emberline-play", daemon=True)
            self._thread.start()

    def policy(self) -> bytes:
        """Returns the policy that the learner handed over at its end."""
        if self._thread:
            self._thread.join(LAST_WORDS_SECONDS)
        if not self._policy:
            raise ClusterError("The learner ended without a policy.")
        return self._policy

    def stop(self) -> None:
        """Ends what is still being played."""
        if self._thread and self._thread.is_alive():
            self._spark.interruptTag(self._tag)
            self._thread.join(LAST_WORDS_SECONDS)

    def _serve(self, address: tuple[str, int]) -> None:
        try:
            self._policy = serve(address, self._secret, self._play)
        except Exception:  # whatever it is, it ends the learner too, and whoever waits for that asks why
            return

    def _play(self, policy: Sampled | Greedy, count: int, seed: int) -> pa.Table:
        self._spark.addTag(self._tag)
        try:
            return rollouts(self._spark, self._environment, policy, count, seed, self._tasks)
        except Exception as error:
            missing = "No module named 'gymnasium'" in str(error)
            self.fault = BadInputError(f"{NO_GYMNASIUM} on the executors.") if missing else error
            raise self.fault from error
        finally:
            self._spark.removeTag(self._tag)


class Report:
    """Hears what the learner says, shows it to people and writes it to MLflow.

    Args:
        run: Takes the metrics of each round.
        progress: Shows lines.
        pass_on: Hears all events too.

    Attributes:
        learned: What was reached in the end.
    """

    def __init__(self, run: Run, progress: Progress, pass_on: Callable[[dict[str, Any]], None]) -> None:
        self._run = run
        self._progress = progress
        self._pass_on = pass_on
        self.learned: dict[str, Any] = {}

    def __call__(self, rank: int, event: dict[str, Any]) -> None:
        self._pass_on(event)
        match event["event"]:
            case "listening":
                self._progress.say(f"the learner is on {event['host']}, process {event['process']}")
            case "round":
                metrics = {name: event[name] for name in ("episode_return", "episodes", "steps")}
                told = f"round {event['number']}: {event['steps']:,} steps, mean return {event['episode_return']:.1f}"
                if event["evaluation_return"] is not None:
                    metrics["evaluation_return"] = event["evaluation_return"]
                    told += f", greedily {event['evaluation_return']:.1f}"
                self._run.log_metrics(metrics, event["number"])
                self._progress.say(told)
            case "learned":
                self.learned = {name: value for name, value in event.items() if name != "event"}
