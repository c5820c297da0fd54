package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_out_of_memory;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;

import dev.hadal.backend.Kernel;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** A primitive at its memory. All that a run takes is made beforehand: building arguments costs more than small kernels. */
final class BoundPrimitive implements Kernel.Bound {
    private final String name;
    private final Handle<dnnl_primitive> primitive;
    private final Binding binding;
    private final dnnl_stream stream;
    private final List<Handle<dnnl_memory>> memories;
    private final Handle<dnnl_exec_arg_t> arguments;
    private final int count;

    private BoundPrimitive(Builder b) {
        name = b.name;
        primitive = b.primitive;
        binding = b.binding;
        stream = Library.get().stream();
        memories = List.copyOf(b.memories);
        count = memories.size();
        arguments = Handle.create(
                "allocating arguments",
                new dnnl_exec_arg_t(Pointer.malloc((long) count * Loader.sizeof(dnnl_exec_arg_t.class))),
                p -> p.isNull() ? dnnl_out_of_memory : dnnl_success,
                Pointer::free);
        for (int i = 0; i < count; i++) {
            arguments
                    .get()
                    .getPointer(i)
                    .arg(b.ids.get(i))
                    .memory(memories.get(i).get());
        }
    }

    /** Collects the arguments, in any order. */
    static final class Builder {
        private final dnnl_engine engine = Library.get().engine();
        private final String name;
        private final Handle<dnnl_primitive> primitive;
        private final PrimitiveDescriptor descriptor;
        private final Binding binding;
        private final List<Integer> ids = new ArrayList<>();
        private final List<Handle<dnnl_memory>> memories = new ArrayList<>();

        Builder(String name, Handle<dnnl_primitive> primitive, PrimitiveDescriptor descriptor, Binding binding) {
            this.name = name;
            this.primitive = primitive;
            this.descriptor = descriptor;
            this.binding = binding;
        }

        void add(int argument, Pointer address) {
            ids.add(argument);
            memories.add(Handle.create(
                    "binding " + name,
                    new dnnl_memory(),
                    m -> dnnl_memory_create(m, descriptor.memory(argument), engine, address),
                    dnnl::dnnl_memory_destroy));
        }

        BoundPrimitive build() {
            return new BoundPrimitive(this);
        }
    }

    @Override
    public void run() {
        binding.checkOpen();
        int status = dnnl_primitive_execute(primitive.get(), stream, count, arguments.get());
        if (status != dnnl_success) {
            throw new IllegalStateException("oneDNN could not run " + name + ": " + Status.text(status));
        }
    }

    @Override
    public void close() {
        binding.close();
        memories.forEach(Handle::close);
        arguments.close();
    }
}
