package dev.hadal.onednn;

import dev.hadal.backend.Layout;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import org.jspecify.annotations.Nullable;

/** How a cast's operand and result lie: channels innermost if the operand does, else plain; never with padding. */
record Casting(Layout from, Layout to) {

    /** Null unless it is between f32 and bf16. */
    static @Nullable Casting of(Request r) {
        Type x = r.type(0);
        Type y = r.result(0);
        if (x.dtype() == y.dtype() || x.dtype() == DType.I32 || y.dtype() == DType.I32) {
            return null;
        }
        return r.channelsLast()
                ? new Casting(OneDnnLayout.channelsLast(x), OneDnnLayout.channelsLast(y))
                : new Casting(Layout.plain(x), Layout.plain(y));
    }
}
