package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_get_primitive_desc;

import dev.hadal.backend.Kernel;
import dev.hadal.backend.Layout;
import dev.hadal.backend.Region;
import dev.hadal.graph.Op;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.global.dnnl;

/** A kernel that is one oneDNN primitive. */
final class PrimitiveKernel implements Kernel {
    private final String name;
    private final List<Layout> inputs;
    private final List<Layout> outputs;
    private final List<Argument> arguments;
    private final int[] inPlace;
    private final List<Constant> constants;
    private final Handle<dnnl_primitive> primitive;
    private final PrimitiveDescriptor descriptor;
    private final long scratch;

    /** What oneDNN calls an operand, or a result. */
    private record Argument(int id, boolean result, int index) {}

    /** An operand that is the same in every run, and the kernel's own. */
    private record Constant(int id, DType dtype, NativeMemory value) {}

    private PrimitiveKernel(Builder b) {
        name = b.name + " " + b.descriptor.implementation();
        inputs = List.copyOf(b.inputs);
        outputs = List.copyOf(b.outputs);
        arguments = List.copyOf(b.arguments);
        inPlace = b.inPlace;
        constants = List.copyOf(b.constants);
        primitive = Handle.create(
                "creating " + name,
                new dnnl_primitive(),
                p -> dnnl_primitive_create(p, b.descriptor.desc()),
                dnnl::dnnl_primitive_destroy);
        dnnl_primitive_desc own = new dnnl_primitive_desc();
        Status.check(dnnl_primitive_get_primitive_desc(primitive.get(), own), "asking " + name + " for its descriptor");
        descriptor = new PrimitiveDescriptor(own);
        scratch = descriptor.scratch();
    }

    /** Names the arguments, in the order of the op's operands and results. */
    static final class Builder {
        private final String name;
        private final PrimitiveDescriptor descriptor;
        private final List<Layout> inputs = new ArrayList<>();
        private final List<Layout> outputs = new ArrayList<>();
        private final List<Argument> arguments = new ArrayList<>();
        private final List<Constant> constants = new ArrayList<>();
        private int[] inPlace = {};

        Builder(String name, PrimitiveDescriptor descriptor) {
            this.name = name;
            this.descriptor = descriptor;
        }

        Builder(Op op, PrimitiveDescriptor descriptor) {
            this(op.name(), descriptor);
        }

        Builder in(int argument, Layout layout) {
            inputs.add(layout);
            return alias(argument);
        }

        /** Another name for the operand named last. */
        Builder alias(int argument) {
            arguments.add(new Argument(argument, false, inputs.size() - 1));
            return this;
        }

        Builder out(int argument, Layout layout) {
            outputs.add(layout);
            arguments.add(new Argument(argument, true, outputs.size() - 1));
            return this;
        }

        /** The kernel frees it. */
        Builder constant(int argument, NativeMemory value) {
            return constant(argument, DType.F32, value);
        }

        /** The kernel frees it. */
        Builder constant(int argument, DType dtype, NativeMemory value) {
            constants.add(new Constant(argument, dtype, value));
            return this;
        }

        /** The operand that each result may take over, or −1. */
        Builder inPlace(int... operands) {
            inPlace = operands;
            return this;
        }

        PrimitiveKernel build() {
            try {
                return new PrimitiveKernel(this);
            } catch (RuntimeException | Error e) {
                constants.forEach(c -> c.value.close());
                throw e;
            }
        }
    }

    @Override
    public List<Layout> inputs() {
        return inputs;
    }

    @Override
    public List<Layout> outputs() {
        return outputs;
    }

    @Override
    public long scratch() {
        return scratch;
    }

    @Override
    public int inPlace(int output) {
        return output < inPlace.length ? inPlace[output] : -1;
    }

    @Override
    public String implementation() {
        return name;
    }

    @Override
    public Bound bind(List<Region> inputRegions, List<Region> outputRegions, Region scratchRegion) {
        Binding binding = new Binding(this, inputRegions, outputRegions, scratchRegion);
        int count = arguments.size() + constants.size() + (scratch > 0 ? 1 : 0);
        BoundPrimitive bound = new BoundPrimitive(name, primitive, binding, count);
        try {
            for (Argument a : arguments) {
                bound.add(descriptor, a.id, a.result ? binding.output(a.index) : binding.input(a.index));
            }
            for (Constant c : constants) {
                bound.add(c.id, c.dtype, c.value);
            }
            if (scratch > 0) {
                bound.add(descriptor, DNNL_ARG_SCRATCHPAD, binding.scratch());
            }
            return bound;
        } catch (RuntimeException | Error e) {
            bound.close();
            throw e;
        }
    }

    @Override
    public void close() {
        primitive.close();
        constants.forEach(c -> c.value.close());
    }
}
