import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** What a listener was given: how often each value came, and whether each partition's records came in order. */
class Ledger {
    private final Map<String, Integer> times = new TreeMap<>();
    private final Map<Integer, Long> last = new HashMap<>();
    private final Set<String> threads = new TreeSet<>();
    private final List<String> outOfOrder = new ArrayList<>();

    /** Notes a record, and says how often its value has come. */
    synchronized int note(ConsumerRecord<?, ?> record) {
        Long before = last.put(record.partition(), record.offset());
        if (before != null && record.offset() <= before) {
            outOfOrder.add(record.partition() + ": " + record.offset() + " after " + before);
        }
        threads.add(Thread.currentThread().getName());
        return note(record.value().toString());
    }

    /** Notes a value, and says how often it has come. */
    synchronized int note(String value) {
        return times.merge(value, 1, Integer::sum);
    }

    synchronized int times(String value) {
        return times.getOrDefault(value, 0);
    }

    synchronized Map<String, Integer> all() {
        return new TreeMap<>(times);
    }

    synchronized int threads() {
        return threads.size();
    }

    synchronized List<String> outOfOrder() {
        return List.copyOf(outOfOrder);
    }

    /** Whether all these values have come. */
    synchronized boolean has(Set<String> values) {
        return times.keySet().containsAll(values);
    }

    synchronized void clear() {
        times.clear();
        last.clear();
        threads.clear();
        outOfOrder.clear();
    }
}
