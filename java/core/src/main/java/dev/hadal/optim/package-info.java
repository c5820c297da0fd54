/** Update rules, learning-rate schedules and gradient clipping. */
@NullMarked
package dev.hadal.optim;

import org.jspecify.annotations.NullMarked;
