@NullMarked
package dev.hadal.nn;

import org.jspecify.annotations.NullMarked;
