package dev.hadal.train;

import dev.hadal.model.Fuzzed;
import java.io.IOException;

/** Whatever the fuzzer thinks of, as a checkpoint, the checksum apart. */
public final class FuzzedCheckpoints {
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Fuzzed.check(input, content -> Checkpoint.of(content, "the input").model());
    }

    private FuzzedCheckpoints() {}
}
