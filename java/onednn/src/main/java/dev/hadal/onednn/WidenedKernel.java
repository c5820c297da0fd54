package dev.hadal.onednn;

import static dev.hadal.onednn.HadalKernels.floats;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.graph.Type;
import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.op.Mixed;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.ShortPointer;
import org.jspecify.annotations.Nullable;

/**
 * A kernel on f32 for operands and results of which some are bf16: those lie widened in the scratch memory, before the
 * kernel's own scratch, while it runs. For what no kernel does in bf16 itself.
 */
record WidenedKernel(Kernel kernel, List<Layout> inputs, List<Layout> outputs) implements Kernel {
    private static final int ALIGNMENT = 64;

    /** Empty where there is no kernel on f32, or it lays a bf16 value out as only f32 lies. */
    static Optional<Kernel> prepare(Op op, Request r) {
        List<Operand> operands = r.operands().stream()
                .map(o -> new Operand(
                        Mixed.widened(o.type()),
                        Objects.requireNonNullElse(
                                with(o.layout(), Mixed.widened(o.type())), Layout.plain(Mixed.widened(o.type())))))
                .toList();
        List<Type> results = r.results().stream().map(Mixed::widened).toList();
        return KernelTable.prepare(op, new Request(operands, results, r.descriptors()))
                .flatMap(kernel -> {
                    List<Layout> in = narrowed(
                            kernel.inputs(),
                            r.operands().stream().map(Operand::type).toList());
                    List<Layout> out = narrowed(kernel.outputs(), r.results());
                    if (in.size() < operands.size() || out.size() < results.size()) {
                        kernel.close();
                        return Optional.empty();
                    }
                    return Optional.of(new WidenedKernel(kernel, in, out));
                });
    }

    private static List<Layout> narrowed(List<Layout> wide, List<Type> types) {
        List<Layout> narrowed = new ArrayList<>();
        for (int i = 0; i < wide.size(); i++) {
            Layout layout = with(wide.get(i), types.get(i));
            if (layout != null) {
                narrowed.add(layout);
            }
        }
        return narrowed;
    }

    /** The same layout of another type of as many dimensions; null if only its own type lies so. */
    private static @Nullable Layout with(@Nullable Layout layout, Type type) {
        if (layout == null || layout.type().equals(type)) {
            return layout;
        }
        if (layout instanceof Layout.Plain) {
            return Layout.plain(type);
        }
        return layout.equals(OneDnnLayout.channelsLast(layout.type())) ? OneDnnLayout.channelsLast(type) : null;
    }

    private static boolean isBf16(Layout layout) {
        return layout.type().dtype() == DType.BF16;
    }

    /** The bytes of a value's widened copy. */
    private static long room(Layout layout) {
        return (2 * layout.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    @Override
    public long scratch() {
        long widened = Stream.concat(inputs.stream(), outputs.stream())
                .filter(WidenedKernel::isBf16)
                .mapToLong(WidenedKernel::room)
                .sum();
        return widened + kernel.scratch();
    }

    /** Every operand is read before a bf16 result is written. */
    @Override
    public int inPlace(int output) {
        int operand = kernel.inPlace(output);
        return operand >= 0 && isBf16(inputs.get(operand)) == isBf16(outputs.get(output)) ? operand : -1;
    }

    @Override
    public String implementation() {
        return kernel.implementation() + " between bf16";
    }

    @Override
    public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratch) {
        Binding binding = new Binding(this, inputRegions, outputRegions, scratch);
        long[] next = {scratch.offset()};
        List<Region> x = widened(inputRegions, kernel.inputs(), scratch, next);
        List<Region> y = widened(outputRegions, kernel.outputs(), scratch, next);
        long rest = scratch.offset() + scratch.layout().bytes() - next[0];
        Layout own = Layout.plain(Type.f32(Math.toIntExact(rest / Float.BYTES)));
        Steps.Recorded inner = (Steps.Recorded) kernel.bind(x, y, new Region(scratch.memory(), next[0], own));
        BoundFunctions before = new BoundFunctions(binding, List.of(), (b, steps) -> {
            for (int i = 0; i < x.size(); i++) {
                if (isBf16(inputs.get(i))) {
                    HadalNative.widen(steps.list(), bits(b.input(i)), count(inputs.get(i)), floats(at(x.get(i))));
                }
            }
        });
        BoundFunctions after = new BoundFunctions(binding, List.of(), (b, steps) -> {
            for (int i = 0; i < y.size(); i++) {
                if (isBf16(outputs.get(i))) {
                    HadalNative.narrow(steps.list(), floats(at(y.get(i))), count(outputs.get(i)), bits(b.output(i)));
                }
            }
        });
        return new InOrder(List.of(before, inner, after));
    }

    /** Regions of the scratch memory in the place of those that are bf16. */
    private static List<Region> widened(List<Region> given, List<Layout> wide, Region scratch, long[] next) {
        List<Region> regions = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            Region region = given.get(i);
            if (isBf16(region.layout())) {
                regions.add(new Region(scratch.memory(), next[0], wide.get(i)));
                next[0] += room(region.layout());
            } else {
                regions.add(region);
            }
        }
        return regions;
    }

    private static Pointer at(Region region) {
        return ((NativeMemory) region.memory()).at(region.offset());
    }

    private static ShortPointer bits(Pointer address) {
        return new ShortPointer(address);
    }

    private static long count(Layout layout) {
        return layout.bytes() / Short.BYTES;
    }

    @Override
    public void close() {
        kernel.close();
    }
}
