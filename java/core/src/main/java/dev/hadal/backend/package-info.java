@NullMarked
package dev.hadal.backend;

import org.jspecify.annotations.NullMarked;
