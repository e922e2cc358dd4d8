import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * The job: Job BOOTSTRAP FOLDER EVENTS [CHECKPOINT]. Events are "key,number,milliseconds"; counts go by key, as each event comes, and by key
 * and second. It is stopped, with the windows that are open, when so many events are counted. (Its source is not a bounded one: one that is
 * restored from a checkpoint when all its partitions are known never ends.)
 */
public class Job {
    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        String folder = args[1];
        var environment = StreamExecutionEnvironment.createLocalEnvironment(settings(folder, args.length > 3 ? args[3] : null));
        environment.setParallelism(2);
        var events = environment.fromSource(source(bootstrap),
            WatermarkStrategy.<String>forMonotonousTimestamps().withTimestampAssigner((event, time) -> milliseconds(event)), "events");
        var keyed = events.keyBy(Job::key);
        var counts = sink(bootstrap, "counts", TransactionNamingStrategy.POOLING);
        keyed.process(new Counting(folder)).sinkTo(new PerilousSink(counts, folder));
        keyed.window(TumblingEventTimeWindows.of(Duration.ofSeconds(1))).aggregate(new HowMany(), new Named())
            .sinkTo(sink(bootstrap, "windows", TransactionNamingStrategy.INCREMENTING));
        JobClient job = environment.executeAsync("counts");
        Driver.awaitCounts(bootstrap, Integer.parseInt(args[2]), () -> job.getJobStatus().join().isTerminalState());
        job.stopWithSavepoint(true, "file://" + folder + "/savepoint", SavepointFormatType.CANONICAL).get();
        job.getJobExecutionResult().get();
        System.exit(0);
    }

    private static Configuration settings(String folder, String checkpoint) {
        Map<String, String> settings = new HashMap<>(Map.of(
            "execution.checkpointing.interval", "1 s",
            "execution.checkpointing.dir", "file://" + folder + "/checkpoints",
            "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION",
            "execution.checkpointing.num-retained", "3",
            "restart-strategy.type", "fixed-delay",
            "restart-strategy.fixed-delay.attempts", "20",
            "restart-strategy.fixed-delay.delay", "200 ms"));
        if (checkpoint != null) {
            settings.put("execution.state-recovery.path", "file://" + checkpoint);
        }
        return Configuration.fromMap(settings);
    }

    private static KafkaSource<String> source(String bootstrap) {
        return KafkaSource.<String>builder().setBootstrapServers(bootstrap).setTopics("events").setGroupId("counting")
            .setProperty("isolation.level", "read_committed")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setValueOnlyDeserializer(new SimpleStringSchema()).build();
    }

    private static KafkaSink<String> sink(String bootstrap, String topic, TransactionNamingStrategy naming) {
        return KafkaSink.<String>builder().setBootstrapServers(bootstrap).setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix(topic).setTransactionNamingStrategy(naming).setProperty("transaction.timeout.ms", "120000")
            .setRecordSerializer(KafkaRecordSerializationSchema.<String>builder().setTopic(topic)
                .setKeySerializationSchema(value -> value.split("[@=]")[0].getBytes())
                .setValueSerializationSchema(new SimpleStringSchema()).build())
            .build();
    }

    static String key(String event) {
        return event.substring(0, event.indexOf(','));
    }

    static long milliseconds(String event) {
        return Long.parseLong(event.substring(event.lastIndexOf(',') + 1));
    }

    /** Counts events of a key; one of them fails the first time it comes. */
    static class Counting extends KeyedProcessFunction<String, String, String> {
        private final String folder;
        private transient ValueState<Long> count;

        Counting(String folder) {
            this.folder = folder;
        }

        @Override
        public void open(OpenContext context) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
        }

        @Override
        public void processElement(String event, Context context, Collector<String> out) throws Exception {
            long next = count.value() == null ? 1 : count.value() + 1;
            if (next == 200 && PerilousSink.first(folder, "failed-on-purpose")) {
                throw new IllegalStateException("on purpose");
            }
            count.update(next);
            out.collect(context.getCurrentKey() + "=" + next);
        }
    }

    static class HowMany implements AggregateFunction<String, Long, Long> {
        @Override
        public Long createAccumulator() {
            return 0L;
        }

        @Override
        public Long add(String event, Long count) {
            return count + 1;
        }

        @Override
        public Long getResult(Long count) {
            return count;
        }

        @Override
        public Long merge(Long left, Long right) {
            return left + right;
        }
    }

    static class Named extends ProcessWindowFunction<Long, String, String, TimeWindow> {
        @Override
        public void process(String key, Context context, Iterable<Long> counts, Collector<String> out) {
            out.collect(key + "@" + context.window().getStart() + "=" + counts.iterator().next());
        }
    }
}
