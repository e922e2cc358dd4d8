// The errors of the protocol as Kafka's own class knows them, a line each in the form of crates/protocol/schemas/errors.tsv.

import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

import java.util.Arrays;
import java.util.Comparator;

public class ErrorTable {
    public static void main(String[] args) {
        Arrays.stream(Errors.values()).sorted(Comparator.comparing(Errors::code)).map(ErrorTable::row).forEach(System.out::println);
    }

    private static String row(Errors error) {
        ApiException exception = error.exception();
        String name = exception == null ? "" : exception.getClass().getSimpleName();
        return String.join("\t", Short.toString(error.code()), error.name(),
            Boolean.toString(exception instanceof RetriableException),
            Boolean.toString(exception instanceof InvalidMetadataException), name, error.message());
    }
}
