@NullMarked
package dev.hadal.optim;

import org.jspecify.annotations.NullMarked;
