package dev.hadal.onednn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.op.MatMul;
import dev.hadal.run.Kernels;
import dev.hadal.run.KernelsSpec;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("native")
class OneDnnKernelsTest extends KernelsSpec {
    @Override
    protected Backends backends() {
        return Backends.of("onednn").withThreads(2);
    }

    /** Whatever the sizes, and whatever was dropped meanwhile, all native memory is given back. */
    @Test
    void nativeMemoryIsGivenBack() {
        long bytes = NativeMemory.heldBytes();
        int objects = Handle.live();
        try (Kernels kernels = Kernels.of(backends())) {
            Tensor b = Tensor.zeros(DType.F32, Shape.of(100, 100));
            MatMul op = new MatMul(false, false);
            for (int m = 100; m < 400; m++) {
                kernels.run(op, Tensor.zeros(DType.F32, Shape.of(m, 100)), b);
            }
            assertTrue(NativeMemory.heldBytes() > bytes && Handle.live() > objects);
            long held = NativeMemory.heldBytes();
            int live = Handle.live();
            for (int i = 0; i < 50; i++) {
                kernels.run(op, Tensor.zeros(DType.F32, Shape.of(399, 100)), b);
            }
            assertEquals(held, NativeMemory.heldBytes());
            assertEquals(live, Handle.live());
        }
        assertEquals(bytes, NativeMemory.heldBytes());
        assertEquals(objects, Handle.live());
    }

    @Test
    void whatIsRequiredRunsOnTheFirstBackendWhateverItsSize() {
        try (Kernels kernels = Kernels.of(backends().required())) {
            Tensor x = Tensor.of(Shape.of(2, 2), 1f, 2f, 3f, 4f);
            MatMul op = new MatMul(false, false);
            assertTrue(kernels.implementation(op, x, x).contains("onednn matmul"), kernels.implementation(op, x, x));
            assertEquals(
                    Tensor.of(Shape.of(2, 2), 7f, 10f, 15f, 22f),
                    kernels.run(op, x, x).get(0));
        }
    }
}
