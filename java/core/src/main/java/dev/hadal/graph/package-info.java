@NullMarked
package dev.hadal.graph;

import org.jspecify.annotations.NullMarked;
