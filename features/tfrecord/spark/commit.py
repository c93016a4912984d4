"""The driver's half of a write: publish the files of the winning task attempts, or leave no trace.

Task attempts write into a hidden staging folder (`shard_writer`). Spark hands the driver the commit
messages of one winning attempt per partition; only files named there are published, so retried and speculative
attempts never show up twice. Every commit writes the manifest, and `_SUCCESS` last.

*New or overwritten target*: the complete new directory, manifest and `_SUCCESS` included, is built beside the target,
then published as `emberline.features.publishing` does it, and what a crash there has left is put in order by the next
job. A target without a parent (a bucket) takes the files one by one, `_SUCCESS` removed first and written last.

*Append*: new files are moved one by one under names that no earlier commit has used, `_SUCCESS` removed first and
written last. A directory takes one writer at a time.

Micro-batches of a stream are published by `emberline.features.tfrecord.spark.stream_commit`.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emberline.features import publishing, storage
from emberline.features.errors import BadInputError
from emberline.features.tfrecord.codec.framing import RecordWriter
from emberline.features.tfrecord.manifest import Shard
from emberline.features.tfrecord.spark.locations import is_data_file
from emberline.features.tfrecord.spark.shard_manifest import MANIFEST, SUCCESS, Manifest, load_shards
from emberline.features.tfrecord.spark.shard_writer import StagedFile, file_suffix, open_staging, remove_staging

logger = logging.getLogger(__name__)

_APPENDED = re.compile(r"part-\d+-of-\d+-a(\d+)\.tfrecord")


class TFRecordCommitError(RuntimeError):
    """A write that could not be published; the target is as the message says."""


class TargetExistsError(BadInputError):
    """Save mode `error` met a target that is already there."""


@dataclass(frozen=True)
class Job:
    """One write: where it goes and where it is prepared. Picklable: Spark sends it to tasks and to the commit.

    Args:
        target: URI of the directory to write.
        staging: URI of the hidden folder that task attempts write to.
        manifest: What is written, without the files.
        mode: One of `SAVE_MODES`.
    """

    target: str
    staging: str
    manifest: Manifest
    mode: str

    @classmethod
    def begin(cls, target: str, job_id: str, manifest: Manifest, *, mode: str) -> "Job":
        """Starts a batch job; makes the staging folder, which tells late task attempts that the job still runs."""
        target = target.rstrip("/")
        publishing.repair(target)
        beside = mode == "overwrite" or not storage.exists(target)
        job = cls(target, _staging(target, job_id, beside=beside), manifest, mode)
        open_staging(job.staging)
        return job

    def abort(self) -> None:
        """Removes everything that this job has written; the target is untouched."""
        remove_staging(self.staging)

    def commit(self, files: Iterable[StagedFile]) -> Manifest:
        """Publishes `files`; on failure the target keeps (or gets back) what it had.

        Raises:
            TFRecordCommitError: A staged file is missing or cannot be moved.
            TargetExistsError: In mode `error`, somebody else has made the target since the job began.
        """
        staged = list(files)
        if not check_target(self.target, self.mode):
            self.abort()
            return self.manifest
        if self.mode == "append" and storage.exists(self.target):
            published = self._append(staged)
        else:
            if not staged and not self.manifest.partition_by:
                staged = [self._empty_shard()]
            published = self._replace(staged)
        remove_staging(self.staging)
        logger.info("wrote %d records in %d files to %s", published.records, len(published.shards), self.target)
        return published

    def _empty_shard(self) -> StagedFile:
        """Returns a file without records, so that a result of no rows can be told from a result that is missing."""
        uri = storage.join(self.staging, "empty", "00000" + file_suffix(self.manifest.codec))
        with RecordWriter(uri, self.manifest.codec) as writer:
            pass
        return StagedFile(uri, "", 0, 0, 0, writer.bytes, writer.crc32c)

    def _replace(self, staged: Sequence[StagedFile]) -> Manifest:
        built = storage.join(self.staging, "built")
        storage.make_dirs(built)
        moves = number(staged, self.manifest.codec)
        _move_all((file.uri, storage.join(built, path)) for file, path in moves)
        published = self.manifest.with_shards(_shards(moves))
        published.save(built)
        storage.write_bytes_atomic(storage.join(built, SUCCESS), b"")
        if self.staging.startswith(self.target + "/"):
            _move_over(built, self.target)
        else:
            publishing.replace_folder(built, self.target)
        return published

    def _append(self, staged: Sequence[StagedFile]) -> Manifest:
        uris = [entry.uri for entry in storage.list_files(self.target, recursive=True)]
        return extend(self.target, self.manifest, staged, uris, f"-a{_next_append(uris):05d}")


def extend(target: str, manifest: Manifest, staged: Sequence[StagedFile], uris: Sequence[str], tag: str) -> Manifest:
    """Adds files to a directory under names that end in `tag`.

    Args:
        target: The directory.
        manifest: What is written, without the files.
        staged: The new files.
        uris: Every file that is in the directory now.
        tag: Makes the names unique in the directory.

    Returns:
        The manifest of the directory; only of the new files where the old ones have none.
    """
    moves = number(staged, manifest.codec, tag)
    earlier = _known(target, uris)
    storage.delete(storage.join(target, SUCCESS))
    done: list[str] = []
    try:
        for file, path in moves:
            uri = storage.join(target, path)
            if storage.exists(uri):
                raise TFRecordCommitError(f"{uri} is already there: another job appends to {target}")
            _move_all([(file.uri, uri)])
            done.append(uri)
    except BaseException:
        for uri in done:
            storage.delete(uri)
        raise
    if earlier is None:
        # A manifest that misses files would make its readers silently short.
        logger.warning("%s holds files that no manifest names, so the extended directory gets none", target)
        storage.delete(storage.join(target, MANIFEST))
        published = manifest.with_shards(_shards(moves))
    else:
        published = manifest.with_shards([*earlier, *_shards(moves)])
        published.save(target)
    storage.write_bytes_atomic(storage.join(target, SUCCESS), b"")
    return published


def check_target(target: str, save_mode: str) -> bool:
    """Returns whether to write at all: False when mode `ignore` meets an existing target.

    Raises:
        TargetExistsError: Mode `error` meets an existing target.
    """
    if save_mode not in ("ignore", "error") or not storage.exists(target):
        return True
    if save_mode == "error":
        raise TargetExistsError(
            f"[PATH_ALREADY_EXISTS] {target} already exists and the save mode is 'error' (Spark's default). "
            "Write to a new location, or choose .mode('overwrite'), 'append' or 'ignore'."
        )
    logger.info("%s already exists and the save mode is 'ignore': nothing is written", target)
    return False


def number(staged: Iterable[StagedFile], codec: str, tag: str = "") -> list[tuple[StagedFile, str]]:
    """Returns the final relative paths: `part-00000-of-00008.tfrecord`, counted per directory in the order of Spark
    partitions.
    """
    folders: dict[str, list[StagedFile]] = {}
    for file in sorted(staged, key=lambda file: (file.directory, file.task, file.sequence)):
        folders.setdefault(file.directory, []).append(file)
    suffix = file_suffix(codec)
    return [
        (file, f"{folder}/{name}" if folder else name)
        for folder, files in folders.items()
        for file, name in zip(
            files, (f"part-{i:05d}-of-{len(files):05d}{tag}{suffix}" for i in range(len(files))), strict=True
        )
    ]


def _shards(moves: Iterable[tuple[StagedFile, str]]) -> list[Shard]:
    return [Shard(path, file.records, file.records, file.bytes, file.crc32c, file.blocks) for file, path in moves]


def _next_append(uris: Iterable[str]) -> int:
    used = [int(match[1]) for match in map(_APPENDED.search, uris) if match]
    return max(used, default=0) + 1


def _known(target: str, uris: Sequence[str]) -> list[Shard] | None:
    """Returns the shards of the target's manifest, or None when it does not name every data file there."""
    shards = load_shards(target) or []
    named = {storage.join(target, shard.path) for shard in shards}
    prefix = len(target) + 1
    data = {uri for uri in uris if is_data_file(uri[prefix:])}
    return shards if named == data else None


def _staging(target: str, job_id: str, *, beside: bool) -> str:
    parent, _, name = target.rpartition("/")
    if beside and parent and not parent.endswith(("/", ":")):
        return f"{parent}/.{name}.{job_id}.staging"
    return storage.join(target, f"_staging-{job_id}")


def _move_all(moves: Iterable[tuple[str, str]]) -> None:
    for source, goal in moves:
        try:
            storage.move(source, goal)
        except FileNotFoundError as error:
            raise TFRecordCommitError(
                f"{source} was written by a task but is not there now: is the target on storage that all nodes share?"
            ) from error


def _move_over(built: str, target: str) -> None:
    """Replaces the files of `target` by those of `built`, `_SUCCESS` last."""
    storage.delete(storage.join(target, SUCCESS))
    before = [entry.uri for entry in storage.list_files(target, recursive=True)]
    names = [entry.uri[len(built) :].lstrip("/") for entry in storage.list_files(built, recursive=True)]
    new = {storage.join(target, name) for name in names}
    inside = built.rpartition("/")[0] + "/"
    for name in sorted(names, key=lambda name: (name == SUCCESS, name == MANIFEST, name)):
        if name == SUCCESS:
            for uri in before:
                if uri not in new and not uri.startswith(inside):
                    storage.delete(uri)
        storage.move(storage.join(built, name), storage.join(target, name))
