/**
 * The innermost loops in the Vector API. This package is compiled apart from the rest, and loaded by reflection, by
 * {@code SimdChoice}, where the JVM has the module {@code jdk.incubator.vector}: so nothing else may name it. From 17
 * to 25 the API stayed the same in what is used here: {@code fromArray} and {@code intoArray} on arrays of floats.
 */
@NullMarked
package dev.hadal.backend.jvm.vector;

import org.jspecify.annotations.NullMarked;
