@NullMarked
package dev.hadal.data;

import org.jspecify.annotations.NullMarked;
