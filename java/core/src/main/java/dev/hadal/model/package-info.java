@NullMarked
package dev.hadal.model;

import org.jspecify.annotations.NullMarked;
