@NullMarked
package dev.hadal.tensor;

import org.jspecify.annotations.NullMarked;
