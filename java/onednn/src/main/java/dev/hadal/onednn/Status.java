package dev.hadal.onednn;

import static org.bytedeco.dnnl.global.dnnl.dnnl_invalid_arguments;
import static org.bytedeco.dnnl.global.dnnl.dnnl_out_of_memory;
import static org.bytedeco.dnnl.global.dnnl.dnnl_runtime_error;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;
import static org.bytedeco.dnnl.global.dnnl.dnnl_unimplemented;

/** What oneDNN's C functions return. */
final class Status {

    /** Thrown while a kernel is prepared, where oneDNN has no implementation: the op is then declined. */
    static final class UnimplementedException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        UnimplementedException(String what) {
            super(what);
        }
    }

    static void check(int status, String what) {
        if (status == dnnl_success) {
            return;
        }
        if (status == dnnl_unimplemented) {
            throw new UnimplementedException(what);
        }
        throw new IllegalStateException("oneDNN failed: " + what + ": " + text(status));
    }

    static String text(int status) {
        return switch (status) {
            case dnnl_out_of_memory -> "out of memory";
            case dnnl_invalid_arguments -> "invalid arguments";
            case dnnl_unimplemented -> "not implemented";
            case dnnl_runtime_error -> "run-time error";
            default -> "status " + status;
        };
    }

    private Status() {}
}
