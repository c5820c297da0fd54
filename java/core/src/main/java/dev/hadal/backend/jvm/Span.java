package dev.hadal.backend.jvm;

import dev.hadal.backend.Region;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import java.util.List;

/**
 * Where a value begins, in row-major order: in {@code floats} if it is f32, in {@code ints} if it is i32, in {@code bytes}
 * if it is s8 or u8. Kernels never see bf16: {@link MixedKernel} stands between.
 */
@SuppressWarnings("ArrayRecordComponent") // a view of the arrays is what it is
public record Span(float[] floats, int[] ints, byte[] bytes, int offset, Type type) {

    static Span of(Region region) {
        HeapMemory memory = (HeapMemory) region.memory();
        return new Span(
                memory.floats(),
                memory.ints(),
                memory.octets(),
                (int) (region.offset() / region.layout().type().dtype().bytes()),
                region.layout().type());
    }

    /** The array that holds the value. */
    Object array() {
        return type.dtype().isByte() ? bytes : type.dtype() == DType.F32 ? floats : ints;
    }

    static Span[] of(List<Region> regions) {
        Span[] spans = new Span[regions.size()];
        for (int i = 0; i < spans.length; i++) {
            spans[i] = of(regions.get(i));
        }
        return spans;
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
