package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD;
import static org.bytedeco.dnnl.global.dnnl.dnnl_memory_desc_get_size;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query;
import static org.bytedeco.dnnl.global.dnnl.dnnl_primitive_desc_query_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_exec_arg_md;
import static org.bytedeco.dnnl.global.dnnl.dnnl_query_impl_info_str;

import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive_desc;

/** What can be asked of the descriptor of a primitive; it belongs to its {@link Descriptors}, or to the primitive. */
record PrimitiveDescriptor(dnnl_primitive_desc desc) {

    /** Such as {@code brgconv:avx512_core}. */
    String implementation() {
        try (Answer answer = new Answer()) {
            Status.check(
                    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, answer.room()),
                    "asking for the implementation's name");
            return answer.asString();
        }
    }

    /** Plain loops, or a matrix product over copies of the image: many times slower than what else there is. */
    boolean slow() {
        return implementation().contains("ref:") || implementation().contains("gemm");
    }

    /** The memory of one argument, as the primitive wants it. */
    dnnl_memory_desc memory(int argument) {
        return dnnl_primitive_desc_query_md(desc, dnnl_query_exec_arg_md, argument);
    }

    long scratch() {
        return dnnl_memory_desc_get_size(memory(DNNL_ARG_SCRATCHPAD));
    }
}
