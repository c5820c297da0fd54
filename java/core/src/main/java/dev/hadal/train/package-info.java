@NullMarked
package dev.hadal.train;

import org.jspecify.annotations.NullMarked;
