@NullMarked
package dev.hadal.compress;

import org.jspecify.annotations.NullMarked;
