"""Between a learner on an executor and the driver: a policy goes one way, the episodes it played come back.

The learner listens; the driver, which knows the secret of the assignment, connects. Each request is a frame of JSON
(`ASK`: how many episodes, which seed) and one of the policy; the answer is a frame with an Arrow table, or with a
reason. The last frame is the policy that was learned. Nothing is unpickled on either side.
"""

import json
import queue
import socket
from collections.abc import Callable, Sequence

import pyarrow as pa

from emberline.pipelines.cluster.door import Door
from emberline.pipelines.reinforcement import policies
from emberline.pipelines.reinforcement.policies import Greedy, Sampled
from emberline.pipelines.reinforcement.rollouts import Episode, episodes
from emberline.pipelines.training.input import wire

ASK, POLICY, LEARNED = b"A", b"P", b"L"
"""Kinds of frames beside those of `wire`."""


class RemoteRollouts:
    """The learner's end: a `Play` whose episodes are played elsewhere.

    Args:
        connection: To the driver.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @classmethod
    def accept(cls, listener: socket.socket, secret: str) -> "RemoteRollouts":
        """Returns the driver's connection, and closes the port; whoever does not know the secret is turned away."""
        known: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        door = Door(
            listener, lambda peer: wire.admit(peer, secret), lambda peer, _: known.put(peer), name="emberline-learner"
        )
        connection = known.get()
        door.close()
        return cls(connection)

    def __call__(self, policy: Sampled | Greedy, count: int, seed: int) -> Sequence[Episode]:
        """Returns episodes of a policy.

        Raises:
            ConnectionError: if the driver is gone, or can have nothing played.
        """
        wire.send_json(self._connection, ASK, {"count": count, "seed": seed})
        wire.send(self._connection, POLICY, policies.to_bytes(policy))
        kind, payload = wire.receive(self._connection)
        if kind == wire.FAILED:
            raise ConnectionError(f"No episodes can be played: {payload.decode()}")
        with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
            return episodes(reader.read_all())

    def learned(self, policy: Sampled | Greedy) -> None:
        """Sends the last policy to the driver."""
        wire.send(self._connection, LEARNED, policies.to_bytes(policy))


def serve(address: tuple[str, int], secret: str, play: Callable[[Sampled | Greedy, int, int], pa.Table]) -> bytes:
    """Returns the driver's end: has episodes played until the learner needs no more, and returns the policy that it
    learned.

    Args:
        address: Of the learner.
        secret: That of its assignment.
        play: A policy, how many episodes, the seed of the first: a table of `rollouts`.

    Raises:
        OSError: if the learner is gone.
        Exception: whatever `play` raises; the learner gets the reason too.
    """
    with wire.connect(address, secret, "driver") as connection:
        while True:
            kind, payload = wire.receive(connection)
            if kind == LEARNED:
                return bytes(payload)
            wanted = json.loads(payload)
            _, policy = wire.receive(connection)
            try:
                table = play(policies.from_bytes(policy), wanted["count"], wanted["seed"])
            except Exception as error:
                wire.send(connection, wire.FAILED, str(error).encode())
                raise
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            wire.send(connection, wire.BATCH, memoryview(sink.getvalue()))
