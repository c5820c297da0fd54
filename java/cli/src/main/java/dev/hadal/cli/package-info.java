@NullMarked
package dev.hadal.cli;

import org.jspecify.annotations.NullMarked;
