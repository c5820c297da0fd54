package dev.hadal.onednn;

import dev.hadal.onednn.natives.HadalNative;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** Bytes that are copied, or set to zero, as they lie. */
final class BoundBytes implements Steps.Recorded {

    /**
     * @param from null for zeros; the same place as `to` to leave it as it is
     */
    record Move(@Nullable Pointer from, Pointer to, long bytes) {}

    private final Binding binding;
    private final List<Move> moves;

    BoundBytes(Binding binding, List<Move> moves) {
        this.binding = binding;
        this.moves = moves;
    }

    @Override
    public void record(Steps steps) {
        binding.neededBy(steps);
        for (Move m : moves) {
            if (m.from == null) {
                HadalNative.memset(steps.list(), m.to, 0, m.bytes);
            } else {
                steps.copy(m.from, m.to, m.bytes);
            }
        }
    }

    /** Without libhadal. */
    @Override
    public void run() {
        binding.checkAllOpen();
        for (Move m : moves) {
            if (m.from == null) {
                Pointer.memset(m.to, 0, m.bytes);
            } else if (m.from.address() != m.to.address()) {
                Pointer.memcpy(m.to, m.from, m.bytes);
            }
        }
    }

    @Override
    public void close() {
        binding.close();
    }
}
