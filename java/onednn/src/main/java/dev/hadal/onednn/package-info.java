/** Kernels made of oneDNN primitives, bound through JavaCPP's C API; {@code natives} holds what oneDNN lacks. */
@NullMarked
package dev.hadal.onednn;

import org.jspecify.annotations.NullMarked;
