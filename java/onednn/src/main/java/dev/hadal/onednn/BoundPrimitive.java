package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_out_of_memory;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_execute;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;

import dev.hadal.onednn.natives.HadalNative;
import dev.hadal.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.dnnl.global.dnnl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** A primitive at its memory. All that a run takes is made beforehand: building arguments costs more than small kernels. */
final class BoundPrimitive implements Steps.Recorded {
    private final String name;
    private final Handle<dnnl_primitive> primitive;
    private final Binding binding;
    private final dnnl_stream stream = Library.get().stream();
    private final List<Handle<dnnl_memory>> memories = new ArrayList<>();
    private final List<NativeMemory> constants = new ArrayList<>();
    private final Handle<dnnl_exec_arg_t> arguments;
    private final int count;

    /**
     * @param count how many arguments will be added
     */
    BoundPrimitive(String name, Handle<dnnl_primitive> primitive, Binding binding, int count) {
        this.name = name;
        this.primitive = primitive;
        this.binding = binding;
        this.count = count;
        this.arguments = Handle.create(
                "allocating arguments",
                new dnnl_exec_arg_t(Pointer.malloc((long) count * Loader.sizeof(dnnl_exec_arg_t.class))),
                p -> p.isNull() ? dnnl_out_of_memory : dnnl_success,
                Pointer::free);
    }

    /** Binds one argument, which lies as the primitive's descriptor says. */
    void add(PrimitiveDescriptor descriptor, int argument, Pointer address) {
        add(descriptor.memory(argument), argument, address);
    }

    /** Binds an argument that is the kernel's own, of which a descriptor does not always tell. */
    void add(int argument, DType dtype, NativeMemory constant) {
        try (Descriptors d = new Descriptors()) {
            add(d.plain(dtype, constant.bytes() / dtype.bytes()), argument, constant.at(0));
        }
        constants.add(constant);
    }

    private void add(dnnl_memory_desc lies, int argument, Pointer address) {
        int next = memories.size();
        Handle<dnnl_memory> memory = Handle.create(
                "binding " + name,
                new dnnl_memory(),
                m -> dnnl_memory_create(m, lies, Library.get().engine(), address),
                dnnl::dnnl_memory_destroy);
        memories.add(memory);
        arguments.get().getPointer(next).arg(argument).memory(memory.get());
    }

    @Override
    public void record(Steps steps) {
        binding.neededBy(steps);
        steps.needs(primitive);
        constants.forEach(steps::needs);
        HadalNative.execute(steps.list(), Library.get().execute(), primitive.get(), stream, count, arguments.get());
        steps.onFault(this::failed);
    }

    /** Without libhadal. */
    @Override
    public void run() {
        binding.checkAllOpen();
        int status = dnnl_primitive_execute(primitive.get(), stream, count, arguments.get());
        if (status != dnnl_success) {
            throw failed(status);
        }
    }

    private IllegalStateException failed(long status) {
        return new IllegalStateException("oneDNN could not run " + name + ": " + Status.text((int) status));
    }

    @Override
    public void close() {
        binding.close();
        memories.forEach(Handle::close);
        arguments.close();
    }
}
