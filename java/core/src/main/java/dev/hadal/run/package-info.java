@NullMarked
package dev.hadal.run;

import org.jspecify.annotations.NullMarked;
