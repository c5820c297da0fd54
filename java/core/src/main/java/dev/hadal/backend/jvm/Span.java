package dev.hadal.backend.jvm;

import dev.hadal.backend.Region;
import dev.hadal.graph.Type;

/**
 * Where a value begins, in row-major order: in {@code floats} if it is f32, in {@code ints} if it is i32. Kernels never
 * see bf16: {@link MixedKernel} stands between.
 */
@SuppressWarnings("ArrayRecordComponent") // a view of the arrays is what it is
public record Span(float[] floats, int[] ints, int offset, Type type) {

    static Span of(Region region) {
        HeapMemory memory = (HeapMemory) region.memory();
        return new Span(
                memory.floats(),
                memory.ints(),
                (int) (region.offset() / 4),
                region.layout().type());
    }

    /** The number of values. */
    public int size() {
        return type.shape().size();
    }

    /** The i-th f32 value. */
    public float get(int i) {
        return floats[offset + i];
    }

    public void set(int i, float value) {
        floats[offset + i] = value;
    }
}
