package dev.hadal.op;

import dev.hadal.graph.Op;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** The ops that a spec specifies. */
@Retention(RetentionPolicy.RUNTIME)
@interface Covers {
    Class<? extends Op>[] value();
}
