@NullMarked
package dev.hadal.op;

import org.jspecify.annotations.NullMarked;
