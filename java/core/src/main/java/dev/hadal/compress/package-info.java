/** Smaller and faster networks: pruning, quantizing, and what a network's values are like. */
@NullMarked
package dev.hadal.compress;

import org.jspecify.annotations.NullMarked;
