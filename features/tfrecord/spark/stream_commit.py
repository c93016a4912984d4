"""Publishing micro-batches: each exactly once, also when a stream is restarted in the middle of a commit.

Files of a batch carry the query and the batch in their names (`...-s<query>-b<batch>`). The last committed batch of
a query is recorded in `_batches/<query>.json`; writing that file is the moment of the commit. A batch at or before it
is left alone (Spark repeats a batch whose commit it could not note down), and what a crashed commit of a
later batch has left is removed before that batch is published again.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from emberline.features import storage
from emberline.features.tfrecord.spark.commit import extend
from emberline.features.tfrecord.spark.shard_manifest import Manifest, load_shards
from emberline.features.tfrecord.spark.shard_writer import StagedFile, remove_staging

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MicroBatch:
    """One batch of one streaming query, going to one directory.

    Args:
        target: URI of the directory.
        query: Spark's id of the query: it stays the same as long as the checkpoint does.
        batch: Number of the batch.
    """

    target: str
    query: str
    batch: int

    @property
    def staging(self) -> str:
        """The hidden folder that task attempts write to."""
        return storage.join(self.target, f"_staging-{self.query}-{self.batch}")

    @property
    def _tag(self) -> str:
        return f"-s{self.query.replace('-', '')[:12]}-b{self.batch:08d}"

    @property
    def _journal(self) -> str:
        return storage.join(self.target, "_batches", f"{self.query}.json")

    def last_committed(self) -> int:
        """Returns the number of the last batch of this query that was published; -1 before the first."""
        if not storage.exists(self._journal):
            return -1
        return int(json.loads(storage.read_text(self._journal))["batch"])

    def commit(self, manifest: Manifest, staged: Sequence[StagedFile]) -> bool:
        """Publishes the batch; False when it was published before."""
        if self.batch <= self.last_committed():
            logger.info("batch %d of query %s is already in %s", self.batch, self.query, self.target)
            self.abort()
            return False
        uris = self._without_leftovers(manifest)
        if staged:
            extend(self.target, manifest, staged, uris, self._tag)
        record = {"batch": self.batch, "records": sum(file.records for file in staged)}
        storage.write_text_atomic(self._journal, json.dumps(record))
        self.abort()
        return True

    def abort(self) -> None:
        """Removes what task attempts have staged."""
        remove_staging(self.staging)

    def _without_leftovers(self, manifest: Manifest) -> list[str]:
        """Returns the files in the target, after removing those that a crashed commit of this batch has published."""
        uris = [entry.uri for entry in storage.list_files(self.target, recursive=True)]
        left = {uri for uri in uris if self._tag in uri.rpartition("/")[2]}
        if left:
            shards = load_shards(self.target)
            if shards is not None:
                kept = [shard for shard in shards if self._tag not in shard.path.rpartition("/")[2]]
                manifest.with_shards(kept).save(self.target)
            for uri in left:
                storage.delete(uri)
        return [uri for uri in uris if uri not in left]
