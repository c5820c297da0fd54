/**
 * The innermost loops of the fast kernels, as interfaces, and in plain Java. Package {@code vector} has them in the
 * Vector API, which not every JVM grants.
 */
@NullMarked
package dev.hadal.backend.jvm.simd;

import org.jspecify.annotations.NullMarked;
