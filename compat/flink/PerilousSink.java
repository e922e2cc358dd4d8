import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.connector.kafka.sink.TwoPhaseCommittingStatefulSink;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.SupportsPostCommitTopology;
import org.apache.flink.streaming.api.datastream.DataStream;

/**
 * Flink's sink to Kafka, but in the worst moment, between a checkpoint and the commit of its transactions or right after that commit,
 * the node is killed, or the program ends. Each of these happens once, however often the program starts.
 */
class PerilousSink
        implements TwoPhaseCommittingStatefulSink<String, KafkaWriterState, KafkaCommittable>, SupportsPostCommitTopology<KafkaCommittable> {
    private static int commits;
    private final KafkaSink<String> sink;
    private final String folder;

    PerilousSink(KafkaSink<String> sink, String folder) {
        this.sink = sink;
        this.folder = folder;
    }

    /** Whether this happens for the first time. */
    static boolean first(String folder, String what) {
        try {
            Files.createFile(Path.of(folder, what));
            return true;
        } catch (FileAlreadyExistsException known) {
            return false;
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static synchronized int nextCommit() {
        return ++commits;
    }

    /** Two commits belong to a checkpoint, one of each writer. */
    private void before(int commit) {
        if (commit == 3 && first(folder, "node-killed-before-a-commit")) {
            crash();
        }
        if (commit == 9 && first(folder, "ended-before-a-commit")) {
            Runtime.getRuntime().halt(137);
        }
    }

    private void after(int commit) {
        if (commit == 6 && first(folder, "node-killed-after-a-commit")) {
            crash();
        }
        if (commit == 3 && Files.exists(Path.of(folder, "ended-before-a-commit")) && first(folder, "ended-after-a-commit")) {
            Runtime.getRuntime().halt(137);
        }
    }

    private void crash() {
        try {
            Process process = new ProcessBuilder("bash", folder + "/crash.sh").redirectErrorStream(true).start();
            String said = new String(process.getInputStream().readAllBytes());
            if (process.waitFor() != 0) {
                throw new IllegalStateException("the node did not start again: " + said);
            }
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public Committer<KafkaCommittable> createCommitter(CommitterInitContext context) {
        Committer<KafkaCommittable> inner = sink.createCommitter(context);
        return new Committer<>() {
            @Override
            public void commit(Collection<CommitRequest<KafkaCommittable>> requests) throws IOException, InterruptedException {
                int commit = requests.isEmpty() ? 0 : nextCommit();
                before(commit);
                inner.commit(requests);
                after(commit);
            }

            @Override
            public void close() throws Exception {
                inner.close();
            }
        };
    }

    @Override
    public SimpleVersionedSerializer<KafkaCommittable> getCommittableSerializer() {
        return sink.getCommittableSerializer();
    }

    @Override
    public PrecommittingStatefulSinkWriter<String, KafkaWriterState, KafkaCommittable> createWriter(WriterInitContext context)
            throws IOException {
        return sink.createWriter(context);
    }

    @Override
    public PrecommittingStatefulSinkWriter<String, KafkaWriterState, KafkaCommittable> restoreWriter(
            WriterInitContext context, Collection<KafkaWriterState> state) throws IOException {
        return sink.restoreWriter(context, state);
    }

    @Override
    public SimpleVersionedSerializer<KafkaWriterState> getWriterStateSerializer() {
        return sink.getWriterStateSerializer();
    }

    @Override
    public void addPostCommitTopology(DataStream<CommittableMessage<KafkaCommittable>> committables) {
        sink.addPostCommitTopology(committables);
    }
}
