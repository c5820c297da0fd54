package dev.hadal.onednn;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;

/**
 * The memory that a bound kernel works in: held against the kernel's layouts once, and asked before each run whether it
 * is still there, so that misuse ends in an exception and not in the JVM's end.
 */
final class Binding implements Life {
    private final List<Region> inputs;
    private final List<Region> outputs;
    private final Region scratch;
    private final NativeMemory[] blocks;
    private boolean closed;

    Binding(Kernel kernel, List<Region> inputs, List<Region> outputs, Region scratch) {
        check(kernel, "operand", kernel.inputs(), inputs);
        check(kernel, "result", kernel.outputs(), outputs);
        if (scratch.layout().bytes() < kernel.scratch()) {
            throw new IllegalArgumentException(kernel.implementation() + " needs " + kernel.scratch()
                    + " bytes of scratch, not " + scratch.layout().bytes());
        }
        this.inputs = List.copyOf(inputs);
        this.outputs = List.copyOf(outputs);
        this.scratch = scratch;
        this.blocks = Stream.of(inputs, outputs, List.of(scratch))
                .flatMap(List::stream)
                .map(Binding::memory)
                .distinct()
                .toArray(NativeMemory[]::new);
    }

    private static void check(Kernel kernel, String what, List<Layout> wanted, List<Region> given) {
        if (given.size() != wanted.size()) {
            throw new IllegalArgumentException(kernel.implementation() + " has " + wanted.size() + " " + what
                    + "s, but was given " + given.size());
        }
        for (int i = 0; i < wanted.size(); i++) {
            Layout layout = given.get(i).layout();
            if (!layout.equals(wanted.get(i))) {
                throw new IllegalArgumentException(kernel.implementation() + ": " + what + " " + i + " must be "
                        + text(wanted.get(i)) + ", but is " + text(layout));
            }
        }
    }

    private static String text(Layout layout) {
        return layout.type() + " in " + layout;
    }

    private static NativeMemory memory(Region region) {
        if (region.memory() instanceof NativeMemory memory) {
            return memory;
        }
        throw new IllegalArgumentException("oneDNN computes in native memory, not in " + region.memory());
    }

    BytePointer input(int i) {
        return at(inputs.get(i));
    }

    BytePointer output(int i) {
        return at(outputs.get(i));
    }

    BytePointer scratch() {
        return at(scratch);
    }

    private static BytePointer at(Region region) {
        return memory(region).at(region.offset());
    }

    @Override
    public void checkOpen() {
        if (closed) {
            throw new IllegalStateException("this kernel is no longer bound: its session is closed");
        }
    }

    /** The same, of the blocks of its memory too. */
    void checkAllOpen() {
        checkOpen();
        for (NativeMemory block : blocks) {
            block.checkOpen();
        }
    }

    /** Names what must be open whenever the steps run. */
    void neededBy(Steps steps) {
        steps.needs(this);
        for (NativeMemory block : blocks) {
            steps.needs(block);
        }
    }

    void close() {
        closed = true;
    }
}
