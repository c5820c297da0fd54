@NullMarked
package dev.hadal.backend.jvm;

import org.jspecify.annotations.NullMarked;
