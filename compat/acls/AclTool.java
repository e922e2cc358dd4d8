// What kafka-acls prints, a line for each command line of a file, all in one JVM: AclTool BOOTSTRAP CONTROLLER CONFIG COMMANDS
//
// `@` in a command line stands for --bootstrap-server BOOTSTRAP --command-config CONFIG, `@controller` for --bootstrap-controller
// CONTROLLER. Lines are sorted, for Kafka prints sets in the order of their hashes.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.AclCommand;

public class AclTool {
    static class Ended extends RuntimeException {
        final int code;
        Ended(int code) { this.code = code; }
    }

    static String sorted(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8).lines().map(String::strip).filter(line -> !line.isEmpty() && !line.matches("(at |Caused by: |\\.\\.\\. |[a-z]+\\.[A-Za-z.]+Exception).*"))
            .sorted().collect(Collectors.joining("|"));
    }

    public static void main(String[] args) throws Exception {
        PrintStream real = System.out;
        Exit.setExitProcedure((code, message) -> {
            // The tool catches all that is thrown and tells of it.
            System.setOut(new PrintStream(OutputStream.nullOutputStream()));
            System.setErr(new PrintStream(OutputStream.nullOutputStream()));
            throw new Ended(code);
        });
        for (String line : Files.readAllLines(Path.of(args[3]))) {
            if (line.isBlank() || line.startsWith("#")) continue;
            var words = new ArrayList<String>();
            for (String word : line.trim().split("\\s+")) {
                switch (word) {
                    case "@" -> words.addAll(List.of("--bootstrap-server", args[0], "--command-config", args[2]));
                    case "@controller" -> words.addAll(List.of("--bootstrap-controller", args[1]));
                    default -> words.add(word);
                }
            }
            var out = new ByteArrayOutputStream();
            var err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true));
            System.setErr(new PrintStream(err, true));
            int code = 0;
            try {
                AclCommand.main(words.toArray(String[]::new));
            } catch (Ended ended) {
                code = ended.code;
            }
            String reason = code == 0 ? "" : err.toString(StandardCharsets.UTF_8).lines().filter(text -> !text.isBlank()).findFirst().orElse("");
            real.println("kafka-acls " + line.trim() + " -> " + code + " " + sorted(out) + " " + reason);
        }
        real.flush();
        Runtime.getRuntime().halt(0);
    }
}
